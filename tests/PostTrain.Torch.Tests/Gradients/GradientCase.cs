using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Gradients;

/// <summary>One differentiable function with the inputs at which its gradient is checked.</summary>
internal sealed record GradientCase(string Name, Func<Tensor[], Tensor> Function, Domain[] Inputs)
{
    internal static GradientCase Of(string name, Domain a, Func<Tensor, Tensor> function) => new(name, x => function(x[0]), [a]);
    internal static GradientCase Of(string name, Domain a, Domain b, Func<Tensor, Tensor, Tensor> function) => new(name, x => function(x[0], x[1]), [a, b]);
    internal static GradientCase Of(string name, Domain a, Domain b, Domain c, Func<Tensor, Tensor, Tensor, Tensor> function) =>
        new(name, x => function(x[0], x[1], x[2]), [a, b, c]);

    /// <summary>All elements of several results in one row.</summary>
    internal static Tensor Joined(params IEnumerable<Tensor> results) => cat(results.Select(result => result.flatten()).ToList());

    internal Tensor[] MakeInputs() => [.. Inputs.Select((domain, number) => domain.Make(number))];
}

/// <summary>Numbers between two bounds, all different, the same at each call.</summary>
internal sealed record Domain(double Low, double High, long[] Sizes)
{
    private const double GoldenRatio = 0.6180339887498949;

    internal static Domain Real(params long[] sizes) => new(-2, 2, sizes);
    internal static Domain Positive(params long[] sizes) => new(0.3, 2.5, sizes);
    internal static Domain Small(params long[] sizes) => new(-0.8, 0.8, sizes);
    internal static Domain Probability(params long[] sizes) => new(0.1, 0.9, sizes);
    internal static Domain AboveOne(params long[] sizes) => new(1.2, 3, sizes);

    internal Tensor Make(int number)
    {
        var values = new double[Sizes.TotalSize()];
        for (int i = 0; i < values.Length; i++) values[i] = Low + (High - Low) * ((0.37 + 0.29 * number + i * GoldenRatio) % 1);
        return tensor(values, Sizes);
    }
}
