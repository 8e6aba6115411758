using TorchSharp;

namespace PostTrain.Tests.Devices;

/// <summary>A fact about a GPU; skipped with a reason where TorchSharp finds none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class CudaFactAttribute : FactAttribute
{
    public CudaFactAttribute()
    {
        if (!torch.cuda.is_available())
            Skip =
                "There is no CUDA device here: reference TorchSharp-cuda-linux or TorchSharp-cuda-windows in the test "
                + "project, on a machine with a GPU.";
    }
}
