using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rollouts.Logits;

/// <summary>Stops a generation where scores are no distribution: a NaN, a +∞, or nothing but −∞.</summary>
internal static class ScoreCheck
{
    /// <summary>Checks one step's scores.</summary>
    /// <param name="scores">[B,V].</param>
    /// <param name="source">What gave them, for the message.</param>
    /// <param name="step">Tokens that the completions have so far.</param>
    /// <param name="prompt">Number of the prompt of a row of the scores; null for a row that nobody reads.</param>
    /// <param name="bans">Names of the options that ban the tokens of a row that holds −∞ only; null where options have no part in the
    /// scores.</param>
    /// <param name="allowsNone">Whether a row may hold −∞ only.</param>
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
        // The highest score tells everything: NaN goes through a maximum.
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

    /// <summary>" by A, B", or nothing.</summary>
    public static string By(IReadOnlyList<string> options) => options.Count == 0 ? "" : $" by {string.Join(", ", options)}";
}
