using PostTrain.Operators;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>Says once in a process that a model would train faster in bfloat16 on this processor.</summary>
internal static class PrecisionHint
{
    // Below this many weights a step is mostly other things than products of matrices.
    private const long LeastWeights = 10_000_000;

    internal const string Text =
        "PostTrain: this processor computes in bfloat16 (AVX512-BF16 or AMX), and the model is float32. "
        + "With weights in bfloat16 a step may be several times faster: docs/training.md, mixed precision. "
        + "TrainingOptions.ShowHints = false silences this.";

    private static int Shown;

    /// <summary>Writes the hint to standard error where it is due.</summary>
    internal static void Show(IReadOnlyList<(string Name, Parameter Parameter)> trained, nn.Module model, TrainingOptions options)
    {
        if (options.ShowHints && ProcessorFacts.ComputesInBfloat16 && IsFor(trained, model) && Interlocked.Exchange(ref Shown, 1) == 0)
            Console.Error.WriteLine(Text);
    }

    /// <summary>True for a model of many weights in float32 in CPU memory.</summary>
    internal static bool IsFor(IReadOnlyList<(string Name, Parameter Parameter)> trained, nn.Module model) =>
        trained[0].Parameter is { dtype: ScalarType.Float32, device_type: DeviceType.CPU }
        && model.parameters().Where(weight => weight.dtype == ScalarType.Float32).Sum(weight => weight.numel()) >= LeastWeights;
}
