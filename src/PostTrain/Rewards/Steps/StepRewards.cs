using PostTrain.Numerics;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Rewards.Steps;

/// <summary>Token rewards from step scores.</summary>
public static class StepRewards
{
    /// <summary>Returns the index of each step's last token, ascending.</summary>
    /// <remarks>This is the first token with which the decoded text reaches the end of the step. Two steps that end in one token share
    /// it.</remarks>
    /// <param name="completion">The completion; its tokens decode to its text.</param>
    /// <param name="tokenizer">Decodes the tokens.</param>
    public static int[] TokenEnds(SteppedCompletion completion, ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(completion);
        ArgumentNullException.ThrowIfNull(tokenizer);
        var tokens = completion.Completion.Tokens;
        if (tokens.Length == 0 && completion.Steps.Count > 0)
            throw new ArgumentException(
                $"completion has {completion.Steps.Count} steps and no tokens, expected the tokens of its text",
                nameof(completion)
            );
        return
        [
            .. completion.Steps.Select(step =>
            {
                // The decoded length grows with the number of tokens.
                int low = 1,
                    high = tokens.Length;
                while (low < high)
                {
                    var middle = (low + high) / 2;
                    if (tokenizer.Decode(tokens.AsSpan(0, middle)).Length >= step.End)
                        high = middle;
                    else
                        low = middle + 1;
                }

                return low - 1;
            }),
        ];
    }

    /// <summary>Returns per-token rewards: each step's score at its last token, 0 elsewhere, for PPO's returns.</summary>
    /// <remarks>Scores that share a token are added; NaN (not applicable) is 0.</remarks>
    /// <param name="scores">One list per completion.</param>
    /// <param name="ends">The token index of each score, 0 to <paramref name="tokens"/> − 1.</param>
    /// <param name="tokens">T, the number of tokens.</param>
    /// <returns>[B,T], Float64.</returns>
    /// <exception cref="ArgumentException">Scores and ends differ in number, or an end is out of range.</exception>
    public static Tensor AtStepEnds(IReadOnlyList<double[]> scores, IReadOnlyList<int[]> ends, int tokens)
    {
        ArgumentNullException.ThrowIfNull(scores);
        ArgumentNullException.ThrowIfNull(ends);
        Guard.AtLeast(tokens, 1, nameof(tokens));
        if (ends.Count != scores.Count)
            throw new ArgumentException($"ends holds {ends.Count} lists, expected {scores.Count}, one for each of scores", nameof(ends));
        var values = new double[scores.Count * tokens];
        for (var b = 0; b < scores.Count; b++)
        {
            if (ends[b].Length != scores[b].Length)
                throw new ArgumentException(
                    $"ends[{b}] holds {ends[b].Length} tokens, expected {scores[b].Length}, one for each score",
                    nameof(ends)
                );
            for (var k = 0; k < ends[b].Length; k++)
            {
                if (ends[b][k] < 0 || ends[b][k] >= tokens)
                    throw new ArgumentOutOfRangeException(nameof(ends), ends[b][k], $"ends[{b}][{k}] must be between 0 and {tokens - 1}");
                if (!double.IsNaN(scores[b][k]))
                    values[b * tokens + ends[b][k]] += scores[b][k];
            }
        }

        return tensor(values, [scores.Count, tokens]);
    }

    /// <summary>Computes potential-based shaping rewards F_k = γΦ(s_k) − Φ(s_{k−1}), which leave the optimal policies unchanged (Ng, Harada
    /// and Russell 1999).</summary>
    /// <remarks>Φ of the end state counts as 0, whatever is given: otherwise policies with different ends would not be compared fairly. The
    /// discounted sum telescopes, Σ_k γ^{k−1} F_k = −Φ(s_0) for every solution. Summed step scores lack this property: a policy gains by
    /// adding steps.</remarks>
    /// <param name="potentials">Φ(s_1) … Φ(s_S), for example a process reward model's scores after each step.</param>
    /// <param name="gamma">γ per step, 0 to 1; 1 by default.</param>
    /// <param name="initial">Φ(s_0); 0 by default.</param>
    /// <returns>One value per step, S in total.</returns>
    public static double[] Shaped(IReadOnlyList<double> potentials, double gamma = 1, double initial = 0)
    {
        ArgumentNullException.ThrowIfNull(potentials);
        Guard.Fraction(gamma, nameof(gamma));
        return
        [
            .. potentials.Select(
                (potential, k) => gamma * (k == potentials.Count - 1 ? 0 : potential) - (k == 0 ? initial : potentials[k - 1])
            ),
        ];
    }
}
