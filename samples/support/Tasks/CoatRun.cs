using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Refinement.Restarts;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Supervised;
using PostTrain.Text;
using PostTrain.Tool;
using PostTrain.Training;

namespace PostTrain.Samples.Support;

/// <summary>One seed of the experiment with meta-actions: format tuning once, then reinforcement learning in several arms from the same
/// start.</summary>
public sealed class CoatRun : IDisposable
{
    private readonly MetaActions actions = new();
    private readonly CoatSettings settings;
    private readonly ulong seed;
    private readonly Decoder tuned;
    private readonly ITokenizer tokenizer;

    /// <summary>Adds the actions to the base model and tunes the format.</summary>
    /// <param name="baseModel">A model that was trained on graded notes.</param>
    /// <param name="settings">Sizes and rates.</param>
    /// <param name="seed">Seed of the data, the order and the draws.</param>
    /// <param name="observe">Takes the reports of a training by its name.</param>
    public CoatRun(Decoder baseModel, CoatSettings settings, ulong seed, Action<string, int, IEnumerable<StepReport>> observe)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(observe);
        (this.settings, this.seed) = (settings, seed);
        (tuned, tokenizer) = actions.AddTo(baseModel, CoatTask.Tokenizer(), seed);
        using var trainer = new SftTrainer(
            tuned,
            tokenizer,
            new SftOptions
            {
                Steps = settings.FormatSteps,
                BatchSize = 64,
                LearningRate = 2e-3,
                WarmupSteps = settings.FormatSteps / 20,
                Schedule = LearningRateSchedule.Cosine,
                Seed = seed,
            }
        );
        observe(
            "format",
            settings.FormatSteps,
            trainer.Run(
                CoatTask.Demonstrations(CoatTask.Repeated(CoatTask.Problems(450, false, seed), 20), actions, settings.Notices, seed)
            )
        );
    }

    /// <summary>Trains a copy with PPO for some rounds. With restarts each round begins with rollouts that are cut, at the cost of one step
    /// of the other arm.</summary>
    /// <param name="restarts">Chooses the restarts that are kept; null for none.</param>
    /// <param name="asksToReflect">True appends the token that asks to reflect, as Satori does; the policy's own choice to reflect is not
    /// trained then. False leaves the choice to the policy.</param>
    /// <param name="observe">Takes the reports of a round.</param>
    /// <returns>The policy, which the caller disposes.</returns>
    public async Task<Decoder> TrainAsync(
        Func<Restart, bool>? restarts,
        bool asksToReflect,
        Func<string, int, IAsyncEnumerable<StepReport>, Task> observe
    )
    {
        ArgumentNullException.ThrowIfNull(observe);
        var policy = tuned.Copy();
        using var critic = ValueHead.For(policy, new HeadOptions { StandardDeviation = 0 });
        var pool = new List<Restart>();
        var problems = CoatTask.Problems(450, false, seed + 100);
        for (int round = 0; round < settings.Rounds; round++)
        {
            int steps = settings.Steps + (restarts is null ? 1 : 0) + (round == 0 ? settings.CriticSteps : 0);
            IReadOnlyList<Problem> asked = problems;
            var reward = CoatTask.Right;
            if (restarts is not null)
            {
                var drawn = Sampled.Completions(
                    policy,
                    tokenizer,
                    [.. problems.Skip(round * settings.BatchSize).Take(settings.BatchSize)],
                    Sampling,
                    seed * 1000 + (ulong)round
                );
                policy.train();
                var kept = RestartAndExplore
                    .From(
                        drawn,
                        (await CoatTask.Right.ScoreAsync(drawn, RewardContext.None)).Values,
                        new RestartOptions
                        {
                            Marker = asksToReflect ? ";" + actions.Reflect : "",
                            Separator = ";",
                            PerRollout = 2,
                            Seed = seed + (ulong)round,
                        }
                    )
                    .Where(restart =>
                        restarts(restart) && tokenizer.Encode(restart.Problem.Prompt).Length + settings.Tokens < policy.ContextLength
                    );
                // Those of earlier rounds, whose policy erred more often, stay in use.
                pool.AddRange(kept);
                reward = reward.WithProgress(pool, settings.Bonus);
                // Half of each: as many problems as restarts.
                asked =
                [
                    .. CoatTask.Repeated(problems, 1 + pool.Count / problems.Count).Take(Math.Max(1, pool.Count)),
                    .. pool.Select(restart => restart.Problem),
                ];
            }
            using var trainer = new PpoTrainer(
                policy,
                tokenizer,
                reward,
                new PpoOptions
                {
                    Steps = steps,
                    BatchSize = settings.BatchSize,
                    LearningRate = settings.LearningRate,
                    Critic = critic,
                    Reference = tuned,
                    Kl = KlControl.Fixed(0.02),
                    ValueCoefficient = 0.1,
                    ValueClip = null,
                    LearningRateFactor = name => name.StartsWith("critic", StringComparison.Ordinal) ? settings.CriticFactor : 1,
                    CriticWarmupSteps = round == 0 ? settings.CriticSteps : 0,
                    UnfinishedPenalty = 1,
                    Sampling = Sampling,
                    Seed = seed * 100 + (ulong)round,
                }
            );
            await observe($"round{round}", steps, trainer.RunAsync(asked));
        }
        return policy;
    }

    /// <summary>The policy before reinforcement learning.</summary>
    public Decoder Tuned => tuned;

    /// <summary>Measures a policy on held-out problems, one sampled completion each.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="count">Number of problems.</param>
    /// <returns>Names and shares: right answers; after a planted error the share that is reconsidered, and of right answers; after right
    /// steps the same two.</returns>
    public IEnumerable<(string Measure, double Value)> Measure(Decoder policy, int count)
    {
        var problems = CoatTask.Problems(count, true, 1);
        yield return ("right", Share(Draw(problems), CoatTask.IsRight));
        foreach (bool wrong in (bool[])[true, false])
        {
            var drawn = Draw([.. Enumerable.Range(0, 4).SelectMany(k => CoatTask.Planted(problems, actions, wrong, 2 + (ulong)k))]);
            string after = wrong ? "after an error" : "after right steps";
            yield return ($"reconsiders {after}", Share(drawn, completion => AtOnce(completion.Text)));
            yield return ($"right {after}", Share(drawn, CoatTask.IsRight));
        }

        bool AtOnce(string text) =>
            text.StartsWith(";" + actions.Reflect, StringComparison.Ordinal)
            || text.StartsWith(";" + actions.Explore, StringComparison.Ordinal);

        IReadOnlyList<Completion> Draw(IReadOnlyList<Problem> asked) => Sampled.Completions(policy, tokenizer, asked, Sampling, seed);

        static double Share(IReadOnlyList<Completion> drawn, Func<Completion, bool> which) => drawn.Count(which) / (double)drawn.Count;
    }

    /// <summary>Disposes the tuned model.</summary>
    public void Dispose() => tuned.Dispose();

    private SamplingOptions Sampling => new() { MaxNewTokens = settings.Tokens };
}
