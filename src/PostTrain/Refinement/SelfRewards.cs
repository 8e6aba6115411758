using PostTrain.Models;
using PostTrain.Numerics;
using PostTrain.Refinement.Writing;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Refinement;

/// <summary>What a model thinks of its own texts, as rewards: the intrinsic feedback of <see cref="SelfRefinement"/>.</summary>
/// <remarks>Nothing from outside comes in: where the model is sure of what is wrong, so are these. Under training, a policy learns what
/// pleases them and not what is right.</remarks>
public static class SelfRewards
{
    /// <summary>The mean log-probability of a text's tokens under the problem's prompt, 1/|y| Σ log π(y_t | x, y_&lt;t), at most 0; the end
    /// of the sequence counts where the text came to it.</summary>
    /// <remarks>Under the problem's own prompt, also for a revision: so first attempts and revisions compare. NaN for a text without
    /// tokens.</remarks>
    /// <param name="model">Commonly the one that wrote the texts; it stays with the caller.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="batchSize">Texts that go through the model at once, at least 1. Default 64.</param>
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

    /// <summary>The model's own answer to whether a text is right: p(yes)/(p(yes) + p(no)), 0 to 1.</summary>
    /// <remarks>Kadavath et al. 2022, arXiv:2207.05221: P(True). Both words' whole probabilities are compared, however many tokens they
    /// have.</remarks>
    /// <param name="model">Asked; it stays with the caller.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="question">The prompt that asks of a text; by default problem and text in tags (<see cref="RevisionTemplate.Quote"/>),
    /// then the question.</param>
    /// <param name="yes">The answer for right.</param>
    /// <param name="no">The answer for wrong, another text.</param>
    /// <param name="batchSize">Rows that go through the model at once, two a text; at least 1. Default 64.</param>
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
