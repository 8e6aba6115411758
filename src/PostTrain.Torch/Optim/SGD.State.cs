using static TorchSharp.torch;

#nullable disable

namespace TorchSharp.Modules;

public partial class SGD
{
    /// <summary>One parameter's momentum.</summary>
    public sealed class State : OptimizerState, IDisposable
    {
        /// <summary>Null before the first step, and without momentum.</summary>
        public Tensor momentum_buffer;

        public State(Parameter parameter) : base(parameter) { }

        public override void Initialize(OptimizerOptions options)
        {
            Dispose();
            momentum_buffer = null;
        }

        public override void LoadStateDict(OptimizerState source) => Load(ref momentum_buffer, OptimizerOptions.Same<State>(source).momentum_buffer);

        public override void to(Device device) => Move(ref momentum_buffer, device);

        public override bool ApproximatelyEquals(OptimizerState other) => other is State same && Close(momentum_buffer, same.momentum_buffer);

        public void Dispose() => momentum_buffer?.Dispose();
    }
}
