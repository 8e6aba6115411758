using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Refinement.Writing;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Refinement;

/// <summary>A model's own judgement of its texts as a reward: the intrinsic feedback of <see cref="SelfRefinement"/>.</summary>
/// <remarks>No external information is used: if the model is confident in an error, so are these rewards. In training, a policy optimises
/// them, not correctness.</remarks>
public static class SelfRewards
{
    /// <summary>Scores the mean log-probability of a text's tokens under the problem's prompt, 1/|y| Σ log π(y_t | x, y_&lt;t), at most 0;
    /// the end of the sequence counts if the text reached it.</summary>
    /// <remarks>Revisions are scored under the problem's own prompt too, so that first attempts and revisions can be compared. NaN for a
    /// text without tokens.</remarks>
    /// <param name="model">Usually the model that wrote the texts; owned by the caller.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="batchSize">Number of texts that go through the model at once, at least 1. Default 64.</param>
    /// <returns>A reward that throws an <see cref="ArgumentException"/> for a text that does not fit the model's context.</returns>
    public static IReward MeanLogProb(CausalLm model, ITokenizer tokenizer, int batchSize = 64)
    {
        Check(model, tokenizer, batchSize);
        return Reward.OfAll(
            "log_prob",
            (completions, _, cancellation) =>
                ValueTask.FromResult<double[]>([
                    .. TextLikelihood
                        .Of(
                            model,
                            tokenizer,
                            [.. completions.Select(completion => (completion.Problem.Prompt, completion.Text, completion.Finished))],
                            batchSize,
                            cancellation
                        )
                        .Select(likelihood => likelihood.Tokens == 0 ? double.NaN : likelihood.Sum / likelihood.Tokens),
                ])
        );
    }

    /// <summary>Scores the model's own answer to whether a text is correct: p(yes)/(p(yes) + p(no)), 0 to 1.</summary>
    /// <remarks>Kadavath et al. 2022, arXiv:2207.05221: P(True). The total probabilities of both words are compared, whatever their number
    /// of tokens.</remarks>
    /// <param name="model">The model; owned by the caller.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="question">Writes the prompt for a text; by default problem and text in tags (<see cref="RevisionTemplate.Quote"/>),
    /// then the question.</param>
    /// <param name="yes">The answer for correct.</param>
    /// <param name="no">The answer for wrong, a different text.</param>
    /// <param name="batchSize">Number of rows that go through the model at once, two per text; at least 1. Default 64.</param>
    public static IReward Verdict(
        CausalLm model,
        ITokenizer tokenizer,
        Func<Completion, MarkedText>? question = null,
        string yes = " Yes",
        string no = " No",
        int batchSize = 64
    )
    {
        Check(model, tokenizer, batchSize);
        ArgumentException.ThrowIfNullOrEmpty(yes);
        ArgumentException.ThrowIfNullOrEmpty(no);
        if (yes == no)
            throw new ArgumentException($"no is '{no}', expected another text than yes", nameof(no));
        question ??= Question;
        return Reward.OfAll(
            "verdict",
            (completions, _, cancellation) =>
            {
                MarkedText[] prompts = [.. completions.Select(question)];
                var answers = TextLikelihood.Of(
                    model,
                    tokenizer,
                    [.. prompts.Select(prompt => (prompt, yes, false)), .. prompts.Select(prompt => (prompt, no, false))],
                    batchSize,
                    cancellation
                );
                return ValueTask.FromResult<double[]>([
                    .. prompts.Select((_, i) => 1 / (1 + Math.Exp(answers[prompts.Length + i].Sum - answers[i].Sum))),
                ]);
            }
        );
    }

    private static MarkedText Question(Completion completion) =>
        completion.Problem.Prompt
        + $"""

            <answer>
            {RevisionTemplate.Quote(completion.Text)}
            </answer>
            Is this answer right? Yes or No:
            """;

    private static void Check(CausalLm model, ITokenizer tokenizer, int batchSize)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        Guard.AtLeast(batchSize, 1, nameof(batchSize));
    }
}
