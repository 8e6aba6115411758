using PostTrain.Adapters;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Workloads;

/// <summary>x·Wᵀ + 2·(x·Aᵀ)·Bᵀ of a frozen layer with a LoRA adapter on it, with a given gradient of the result, NxD and the
/// rank.</summary>
internal sealed class AdaptedLinearMap : IWorkload
{
    public string Id => "K.lora";

    public IReadOnlyList<string> Sizes => ["64x64r8", "256x256r8", "2048x256r8", "1024x768r8"];

    public Call Setup(string size, Inputs inputs)
    {
        var d = Inputs.Dimensions(size);
        var (rows, width, rank) = (d[0], d[1], d[2]);
        var (x, gradient) = (inputs.Leaf([rows, width]), inputs.Normal([rows, width]));
        // The layer and its adapter live as long as the process, like the other inputs.
        var layer = nn.Linear(width, width, hasBias: false);
        var model = nn.Sequential(("layer", layer));
        var adapter = AdaptedModel.Attach(
            model,
            new LoraOptions
            {
                Rank = (int)rank,
                Alpha = 2 * rank,
                Initialization = LoraInitialization.Random,
                Targets = ModuleSelection.AllLinear,
            }
        );
        Tensor[] wanted = [x, .. adapter.TrainableParameters.Select(item => item.Parameter)];
        return new(
            Gradients.Given(() => model.call(x), gradient, wanted),
            4.0 * rows * width * width + 12.0 * rows * width * rank,
            4.0 * (4 * rows * width + width * width + 4 * rank * width)
        );
    }
}
