using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts;

/// <summary>Stops a generation where scores are no distribution: a NaN, a +∞, or nothing but −∞.</summary>
internal static class ScoreCheck
{
    /// <summary>Checks one step's scores.</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="source">What gave them, for the message.</param>
    /// <param name="step">Tokens that the completions have so far.</param>
    /// <param name="prompt">Number of the prompt of a row of the scores; null for a row that nobody reads.</param>
    /// <param name="allowsNone">Whether a row may hold −∞ only.</param>
    /// <exception cref="InvalidOperationException">The message names the prompt, the step and the value.</exception>
    public static void Require(Tensor scores, string source, int step, Func<int, int?> prompt, bool allowsNone = false)
    {
        // The highest score tells everything: NaN goes through a maximum.
        using var highest = scores.amax([-1L]);
        using var wide = highest.to(ScalarType.Float64, CPU);
        var values = wide.data<double>().ToArray();
        for (var row = 0; row < values.Length; row++)
        {
            if (double.IsFinite(values[row]) || (allowsNone && double.IsNegativeInfinity(values[row])) || prompt(row) is not { } number)
                continue;
            var held =
                double.IsNaN(values[row]) ? "hold NaN"
                : double.IsPositiveInfinity(values[row]) ? "hold +∞"
                : "are all −∞";
            throw new InvalidOperationException(
                $"{source} of row {number} at step {step} {held}, expected numbers, and −∞ for tokens that cannot come."
            );
        }
    }
}
