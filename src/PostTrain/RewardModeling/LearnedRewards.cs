using PostTrain.Data;
using PostTrain.Models.Heads;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.RewardModeling;

/// <summary>Rewards out of trained reward models: in batches, without gradients and dropout. The model stays with the caller.</summary>
public static class LearnedRewards
{
    /// <summary>The score of prompt and completion at their last token, what <see cref="RewardTrainer"/> trained.</summary>
    /// <remarks>In the model's own scale: normalise it with <see cref="RunningRewardStatistics"/> where methods mix rewards. A policy that
    /// is trained on it long enough finds what the model overrates (Gao et al. 2022, arXiv:2210.10760); hold it with a KL
    /// penalty.</remarks>
    /// <param name="model">One score a sequence.</param>
    /// <param name="tokenizer">The model's; the policy may have another, as texts are compared.</param>
    /// <param name="options">Defaults when null.</param>
    /// <returns>A reward that throws an <see cref="InvalidOperationException"/> for a text that does not fit the model's context, unless
    /// <see cref="LearnedRewardOptions.CutsLonger"/>.</returns>
    /// <exception cref="ArgumentException">The model has more than one score, or an option is out of range.</exception>
    public static IReward Outcome(SequenceClassifier model, ITokenizer tokenizer, LearnedRewardOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        RewardText.OneScore(model, nameof(model));
        var settings = options ?? new LearnedRewardOptions();
        settings.Check();
        return Reward.OfAll(
            settings.Name,
            (completions, _, cancellation) =>
            {
                int[][] rows =
                [
                    .. completions.Select(
                        (completion, i) =>
                            Fitting(
                                RewardText.Encode(
                                    completion.Problem.Prompt,
                                    completion.Text,
                                    tokenizer,
                                    settings.AppendEndOfSequence && completion.Finished
                                ),
                                model,
                                i,
                                settings.CutsLonger
                            )
                    ),
                ];
                return ValueTask.FromResult(
                    RewardText.Ask(
                        model,
                        () =>
                            rows.Chunk(settings.BatchSize)
                                .SelectMany(part =>
                                {
                                    cancellation.ThrowIfCancellationRequested();
                                    using var scope = NewDisposeScope();
                                    return Values(model.Score(RewardText.Ids(part, model, tokenizer), RewardText.Mask(part, model)));
                                })
                                .ToArray()
                    )
                );
            }
        );
    }

    /// <summary>The probability that each step is right, what <see cref="ProcessRewardTrainer"/> trained: σ of the score, or the last
    /// class's softmax.</summary>
    /// <remarks><see cref="CachedStepReward"/> gives the same scores and computes each token of a growing text once. A whole
    /// completion's reward is made of it by <see cref="StepReward.Aggregated"/>. Steps beyond the model's context, or
    /// beyond the encoding's limits, are not applicable (NaN).</remarks>
    /// <param name="model">One score a token, or one a class.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="options">Defaults when null.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public static IStepReward Steps(SequenceClassifier model, ITokenizer tokenizer, LearnedRewardOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        var settings = options ?? new LearnedRewardOptions();
        settings.Check();
        return StepReward.OfAll(
            settings.Name,
            (completions, _, cancellation) =>
            {
                var encodings = Encode(completions, model, tokenizer, settings);
                var scores = completions.Select(completion => Enumerable.Repeat(double.NaN, completion.Steps.Count).ToArray()).ToArray();
                return RewardText.Ask(
                    model,
                    () =>
                    {
                        foreach (
                            var part in Enumerable
                                .Range(0, scores.Length)
                                .Where(i => encodings[i].Ends.Length > 0)
                                .Chunk(settings.BatchSize)
                        )
                        {
                            cancellation.ThrowIfCancellationRequested();
                            using var scope = NewDisposeScope();
                            int[][] rows = [.. part.Select(i => encodings[i].Tokens)];
                            var probabilities = ProcessRewardTrainer.Probabilities(
                                model.TokenScores(RewardText.Ids(rows, model, tokenizer), RewardText.Mask(rows, model))
                            );
                            foreach (var (values, i) in Values(probabilities).Chunk((int)probabilities.shape[1]).Zip(part))
                                for (int step = 0; step < encodings[i].Ends.Length; step++)
                                    scores[i][step] = values[encodings[i].Ends[step]];
                        }
                        return ValueTask.FromResult<IReadOnlyList<double[]>>(scores);
                    }
                );
            }
        );
    }

    /// <summary>Encodes the steps of completions, within the model's context.</summary>
    internal static StepEncoding[] Encode(
        IReadOnlyList<SteppedCompletion> completions,
        SequenceClassifier model,
        ITokenizer tokenizer,
        LearnedRewardOptions options
    )
    {
        int most = Math.Min(model.Body.ContextLength, options.Encoding.MaximumLength ?? int.MaxValue);
        var layout = options.Encoding with { LastStepOnly = false, MaximumLength = most };
        return
        [
            .. completions.Select(completion =>
                StepEncoding.Of(
                    new StepwiseExample(
                        completion.Completion.Problem.Prompt,
                        [.. completion.Steps.Select(step => step.Text)],
                        new int[completion.Steps.Count]
                    ),
                    tokenizer,
                    layout
                )
            ),
        ];
    }

    private static int[] Fitting(int[] ids, SequenceClassifier model, int index, bool cuts) =>
        cuts && ids.Length > model.Body.ContextLength ? ids[..model.Body.ContextLength]
        : ids.Length > 0 && ids.Length <= model.Body.ContextLength ? ids
        : throw new InvalidOperationException(
            $"completion {index} has {ids.Length} tokens with its prompt, expected 1 to {model.Body.ContextLength}, the reward "
                + "model's context"
        );

    private static double[] Values(Tensor tensor) => tensor.to_type(ScalarType.Float64).cpu().contiguous().data<double>().ToArray();
}
