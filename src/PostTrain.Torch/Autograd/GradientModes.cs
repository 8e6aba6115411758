using PostTrain.Torch.Interop;

namespace TorchSharp;

public static partial class torch
{
    public static bool is_grad_enabled() => Native.pt_grad_enabled() != 0;
    public static bool is_inference_mode_enabled() => Native.pt_inference_enabled() != 0;

    /// <summary>No graph is recorded on this thread until the result is disposed.</summary>
    public static IDisposable no_grad() => new GradientMode(false);

    public static IDisposable enable_grad(bool enabled = true) => new GradientMode(enabled);

    public static IDisposable set_grad_enabled(bool mode = true) => new GradientMode(mode);

    public static IDisposable inference_mode(bool mode = true) => new InferenceMode(mode);

    private sealed class GradientMode : IDisposable
    {
        private readonly int before = Native.pt_grad_enabled();

        internal GradientMode(bool enabled) => Native.pt_set_grad_enabled(enabled ? 1 : 0);

        public void Dispose() => Native.pt_set_grad_enabled(before);
    }

    private sealed class InferenceMode(bool enabled) : IDisposable
    {
        private nint guard = Native.pt_inference_enter(enabled ? 1 : 0);

        public void Dispose()
        {
            if (guard != 0) Native.pt_inference_leave(guard);
            guard = 0;
        }
    }
}
