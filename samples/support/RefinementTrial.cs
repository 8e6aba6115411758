using System.Diagnostics;
using PostTrain.Data;
using PostTrain.Exact;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Recipes;
using PostTrain.Refinement;
using PostTrain.Rewards;
using PostTrain.Supervised;
using PostTrain.Training;

namespace PostTrain.Samples.Support;

/// <summary>Refines one model in three ways from the same supervised warm-up on the same questions: more supervised fine-tuning,
/// self-training, reinforcement.</summary>
public static class RefinementTrial
{
    private const int DrawsOfAQuestion = 4;

    /// <summary>One seed: trains, and measures each on the held-out questions.</summary>
    public static async Task<RefinementResult> RunAsync(SampleRun run, RefinementTask task, RefinementSettings settings, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(run);
        ArgumentNullException.ThrowIfNull(task);
        ArgumentNullException.ThrowIfNull(settings);
        var data = task.Data(seed);
        string title = $"{task.Name}, seed {seed}",
            part = $"{task.Key}/seed{seed}",
            folder = run.PathOf("warm-up");

        // The warm-up is saved where reinforced fine-tuning asks for its reference; the other ways begin from there too.
        Tuning? frozen = null;
        try
        {
            var fresh = task.Fresh();
            using var model = fresh.Model;
            using var tuning = fresh;
            var options = new ReftOptions
            {
                Warmup = settings.Warmup with { Seed = seed },
                Reinforcement = settings.Reinforcement with { Seed = seed },
                Reference = Reference,
            };
            await using var training = new ReinforcedFineTuning(tuning.Model, task.Tokenizer, task.Reward, options)
                .RunAsync(data.Demonstrations, data.Problems, cancellation: run.Cancellation)
                .GetAsyncEnumerator();
            bool goesOn = await training.MoveNextAsync().ConfigureAwait(false);
            var warmup = await run.TrainAsync(
                    $"{title}: warm-up",
                    options.Warmup.Steps,
                    Stage(ReinforcedFineTuning.Warmup),
                    $"{part}/warmup"
                )
                .ConfigureAwait(false);
            var reinforced = await run.TrainAsync(
                    $"{title}: ReFT",
                    options.Reinforcement.Steps,
                    Stage(ReinforcedFineTuning.Reinforcement),
                    $"{part}/reft"
                )
                .ConfigureAwait(false);
            var supervised = await ContinueAsync("SFT", data.Demonstrations, TimeSpan.Zero).ConfigureAwait(false);
            var watch = Stopwatch.StartNew();
            var own = await new SelfTraining(
                frozen!.Model,
                task.Tokenizer,
                task.Reward,
                settings.SelfTraining with
                {
                    Seed = seed,
                    Demonstrations = data.Demonstrations,
                }
            )
                .CollectAsync(data.Problems, run.Cancellation)
                .ConfigureAwait(false);
            var selfTrained = await ContinueAsync("self-training", [.. data.Demonstrations, .. own], watch.Elapsed).ConfigureAwait(false);
            RefinementStage[] stages =
            [
                await MeasuredAsync("warm-up", warmup, frozen, TimeSpan.Zero).ConfigureAwait(false),
                supervised,
                selfTrained,
                await MeasuredAsync("ReFT", reinforced, tuning, TimeSpan.Zero).ConfigureAwait(false),
            ];
            return new RefinementResult(
                new StrategyOutcome(stages[0].Accuracy, stages[1].Accuracy, stages[2].Accuracy, stages[3].Accuracy),
                own.Count,
                stages
            );

            async IAsyncEnumerable<StepReport> Stage(string stage)
            {
                for (; goesOn && training.Current.Stage == stage; goesOn = await training.MoveNextAsync().ConfigureAwait(false))
                    yield return training.Current.Step;
            }

            ReferencePolicy Reference(CausalLm policy)
            {
                if (tuning.Adapters is { } adapters)
                    adapters.Save(folder);
                else
                    Pretrained.Save(policy, folder);
                frozen = task.Load(folder);
                return ReferencePolicy.Of(frozen.Model);
            }
        }
        finally
        {
            frozen?.Dispose();
            frozen?.Model.Dispose();
        }

        async Task<RefinementStage> ContinueAsync(string name, IReadOnlyList<Demonstration> demonstrations, TimeSpan spent)
        {
            var loaded = task.Load(folder);
            using var model = loaded.Model;
            using var tuning = loaded;
            using var trainer = new SftTrainer(model, task.Tokenizer, settings.Continued with { Seed = seed });
            var reports = run.Train(
                $"{title}: {name}",
                settings.Continued.Steps,
                trainer.Run(demonstrations, cancellation: run.Cancellation),
                $"{part}/{name.Replace('-', '_').ToLowerInvariant()}"
            );
            return await MeasuredAsync(name, reports, tuning, spent).ConfigureAwait(false);
        }

        async Task<RefinementStage> MeasuredAsync(string name, IReadOnlyList<StepReport> reports, Tuning tuning, TimeSpan spent)
        {
            var sampling = settings.Reinforcement.Sampling;
            Problem[] asked = [.. data.HeldOut.SelectMany(problem => Enumerable.Repeat(problem, DrawsOfAQuestion))];
            var sampled = Sampled.Completions(tuning.Model, task.Tokenizer, asked, sampling, seed);
            var answers = Sampled.Completions(tuning.Model, task.Tokenizer, data.HeldOut, sampling with { Temperature = 0 }, seed);
            var (drawn, likeliest) = (await RightAsync(sampled).ConfigureAwait(false), await RightAsync(answers).ConfigureAwait(false));
            return new RefinementStage(
                name,
                reports,
                spent + reports[^1].Elapsed,
                new StrategyAccuracy((double)drawn.Count / sampled.Count, (double)likeliest.Count / answers.Count),
                answers,
                likeliest
            );
        }

        async Task<HashSet<Completion>> RightAsync(IReadOnlyList<Completion> completions)
        {
            var scores = await Scoring
                .ScoreCheckedAsync(task.Reward, completions, RewardContext.None, run.Cancellation)
                .ConfigureAwait(false);
            // Two draws may be alike.
            return completions.Where((_, i) => scores.Values[i] >= 1).ToHashSet<Completion>(ReferenceEqualityComparer.Instance);
        }
    }
}
