using static TorchSharp.torch;

namespace PostTrain.Compression.Quantization;

/// <summary>The result of AWQ's search for scales.</summary>
/// <param name="Scales">[in], what the columns of the weights are multiplied by before they are quantised; it belongs to the
/// caller.</param>
/// <param name="Exponent">The exponent of the inputs' mean magnitude that they come from.</param>
/// <param name="Losses">The mean squared error of every exponent that was tried.</param>
public sealed record AwqScales(Tensor Scales, double Exponent, IReadOnlyList<double> Losses);
