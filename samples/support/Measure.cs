using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;
using PostTrain.Training;
using PostTrain.Training.Reports;

namespace PostTrain.Samples.Support;

/// <summary>Measurements of a model on held-out examples.</summary>
public static class Measure
{
    /// <summary>Computes the loss of each example, the mean over its completion's tokens, so that methods can be compared per
    /// example.</summary>
    public static double[] Losses(DatasetTrainer<Demonstration> trainer, IReadOnlyList<Demonstration> examples) =>
        Values(trainer, examples, "eval/loss");

    /// <summary>Computes a metric of each example separately, by the name in the trainer's evaluation.</summary>
    public static double[] Values(DatasetTrainer<Demonstration> trainer, IReadOnlyList<Demonstration> examples, string metric)
    {
        ArgumentNullException.ThrowIfNull(trainer);
        ArgumentNullException.ThrowIfNull(examples);
        return [.. examples.Select(example => trainer.Evaluate([example])[metric])];
    }

    /// <summary>Returns the model's most likely answer to each problem.</summary>
    public static IReadOnlyList<Completion> Answers(CausalLm model, ITokenizer tokenizer, IReadOnlyList<Problem> problems, int tokens = 48)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(problems);
        // A long prompt limits the length of its own answer only.
        var answers = new Completion[problems.Count];
        foreach (
            var group in Enumerable
                .Range(0, problems.Count)
                .GroupBy(i => Math.Clamp(model.ContextLength - tokenizer.Encode(problems[i].Prompt).Length, 1, tokens))
        )
        {
            int[] places = [.. group];
            var drawn = Sampled.Completions(
                model,
                tokenizer,
                [.. places.Select(i => problems[i])],
                new SamplingOptions
                {
                    Temperature = 0,
                    MaxNewTokens = group.Key,
                    SuppressedTokens = Sampled.WithoutText(model, tokenizer),
                },
                seed: 0
            );
            for (int i = 0; i < places.Length; i++)
                answers[places[i]] = drawn[i];
        }
        return answers;
    }

    /// <summary>Counts the correct completions.</summary>
    public static Proportion Right(IReadOnlyList<Completion> completions)
    {
        ArgumentNullException.ThrowIfNull(completions);
        return new Proportion(completions.Count(ArithmeticTask.IsRight), completions.Count);
    }

    /// <summary>Adds the shares of right answers before and after training to a summary.</summary>
    public static void AddAccuracy(IDictionary<string, object> summary, Proportion before, Proportion after)
    {
        ArgumentNullException.ThrowIfNull(summary);
        (summary["accuracy_before"], summary["accuracy_before_interval"]) = (before.Value, before.Interval());
        (summary["accuracy_after"], summary["accuracy_after_interval"]) = (after.Value, after.Interval());
    }

    /// <summary>Returns some prompts' completions before and after training for a report, with verdicts if the prompts have
    /// answers.</summary>
    public static IReadOnlyList<CompletionPair> Pairs(
        IReadOnlyList<Completion> before,
        IReadOnlyList<Completion> after,
        AnswerPlaces places = AnswerPlaces.Tags,
        int count = 3
    ) =>
        [
            .. before
                .Zip(after)
                .Take(count)
                .Select(pair => new CompletionPair(
                    pair.First.Problem.Prompt,
                    pair.First.Text,
                    pair.Second.Text,
                    Verdict(pair.First, places),
                    Verdict(pair.Second, places)
                )),
        ];

    private static Verdict? Verdict(Completion completion, AnswerPlaces places) =>
        completion.Problem.Answer is not { } answer ? null
        : AnswerExtraction.Extract(completion.Text, places) is { } given
        && AnswerEquivalence.IsAnswer(given, AnswerExtraction.Extract(answer, AnswerPlaces.Marked) ?? answer)
            ? new Verdict(true, "right")
        : new Verdict(false, "wrong");
}
