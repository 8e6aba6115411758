using PostTrain.Adapters;
using PostTrain.Models;

namespace PostTrain.Benchmarks.Workloads.Models;

/// <summary>Common parts of the training steps.</summary>
internal static class TrainingStep
{
    /// <summary>More steps than are ever timed.</summary>
    public const int Unlimited = 1_000_000;

    /// <summary>Learning rate; the schedule is constant.</summary>
    public const double Rate = 1e-5;

    /// <summary>LoRA of rank 8, alpha 16, on every linear map but the head.</summary>
    public static AdaptedModel On(Decoder model) =>
        AdaptedModel.Attach(
            model,
            new LoraOptions
            {
                Rank = 8,
                Alpha = 16,
                Targets = ModuleSelection.AllLinear,
            }
        );

    /// <summary>A call in tokens a second, all positions counted.</summary>
    /// <param name="step">One step.</param>
    /// <param name="choice">Of the model.</param>
    /// <param name="inputs">Name the type of the weights.</param>
    /// <param name="flops">Of the step.</param>
    /// <param name="owned">Disposed with the call, in this order.</param>
    public static Call Call(Action step, BenchmarkModel choice, Inputs inputs, double flops, params IDisposable?[] owned) =>
        new(step, flops, Unit: "tokens/s", Amount: BenchmarkModel.Rows * choice.Length)
        {
            Type = inputs.ModelType,
            Owned = [.. owned.OfType<IDisposable>()],
        };
}
