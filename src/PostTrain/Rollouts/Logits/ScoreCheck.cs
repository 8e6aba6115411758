using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts.Logits;

/// <summary>Stops a generation if scores do not define a distribution: a NaN, a +∞, or only −∞.</summary>
internal static class ScoreCheck
{
    /// <summary>Checks one step's scores.</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="source">The source of the scores, for the message.</param>
    /// <param name="step">Number of tokens of the completions so far.</param>
    /// <param name="prompt">Maps a row of the scores to the index of its prompt; null for a row that is not used.</param>
    /// <param name="bans">Names of the options that ban the tokens of a row with only −∞; null if options do not affect the scores.</param>
    /// <param name="allowsNone">True if a row may contain only −∞.</param>
    /// <exception cref="InvalidOperationException">The message names the prompt, the step, the value and the options.</exception>
    public static void Require(
        Tensor scores,
        string source,
        int step,
        Func<int, int?> prompt,
        Func<int, IReadOnlyList<string>>? bans = null,
        bool allowsNone = false
    )
    {
        // The maximum suffices: NaN propagates through it.
        using var highest = scores.amax([-1L]);
        using var wide = highest.to(ScalarType.Float64, CPU);
        var values = wide.data<double>().ToArray();
        for (var row = 0; row < values.Length; row++)
        {
            if (double.IsFinite(values[row]) || (allowsNone && double.IsNegativeInfinity(values[row])) || prompt(row) is not { } number)
                continue;
            if (bans is not null && double.IsNegativeInfinity(values[row]))
                throw new InvalidOperationException(
                    $"Every token of row {number} is banned at step {step}{By(bans(row))}, expected options that leave at least one."
                );
            var held =
                double.IsNaN(values[row]) ? "hold NaN"
                : double.IsPositiveInfinity(values[row]) ? "hold +∞"
                : "are all −∞";
            throw new InvalidOperationException(
                $"{source} of row {number} at step {step} {held}, expected numbers, and −∞ for tokens that cannot come."
            );
        }
    }

    /// <summary>Returns " by A, B", or an empty text.</summary>
    public static string By(IReadOnlyList<string> options) => options.Count == 0 ? "" : $" by {string.Join(", ", options)}";
}
