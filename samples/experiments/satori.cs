#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Satori: meta-action tokens, format tuning, and PPO that restarts within its own rollouts, compared with PPO without restarts. Over five
// seeds 0.360 ± 0.074 of planted errors are repaired after format tuning, 0.154 ± 0.170 after PPO, 0.309 ± 0.263 with restarts and
// 0.308 ± 0.186 with those of right rollouts only: docs/self-refinement.md.
//   dotnet run -c Release samples/experiments/satori.cs [-- --seeds 5 --steps 15 --rounds 3 --output DIR]
using PostTrain.Numerics;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;

const string without = "PPO without restarts";
var command = new SampleCommand(
    "satori",
    "Compares PPO with and without restarts within rollouts; --steps are PPO's in a round.",
    steps: 15,
    heldOut: 150
);
var seeds = command.Option("--seeds", "Number of seeds, at least 2.", 5, OptionRange.AtLeast(2));
var rounds = command.Option("--rounds", "Rounds of PPO.", 3, OptionRange.AtLeast(1));
var criticSteps = command.Option("--critic-steps", "Steps of the critic alone before them.", 8, OptionRange.AtLeast(0));
var baseSteps = command.Option("--base-steps", "Steps of the base model on graded notes.", 500, OptionRange.AtLeast(1));
var formatSteps = command.Option("--format-steps", "Steps of format tuning.", 1200, OptionRange.AtLeast(1));
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        var settings = new CoatSettings
        {
            Steps = run.Steps,
            Rounds = values.GetValue(rounds),
            CriticSteps = values.GetValue(criticSteps),
            FormatSteps = values.GetValue(formatSteps),
        };
        using var baseModel = CoatTask.Model(run.Seed);
        using (
            var trainer = new SftTrainer(
                baseModel,
                CoatTask.Tokenizer(),
                new SftOptions
                {
                    Steps = values.GetValue(baseSteps),
                    BatchSize = 128,
                    LearningRate = 2e-3,
                    WarmupSteps = 50,
                    Schedule = LearningRateSchedule.Cosine,
                    // A mark alone weighs as much as whole notes.
                    Aggregation = LossAggregation.SequenceMean,
                    Seed = run.Seed,
                }
            )
        )
            run.Train(
                "base model on graded notes",
                values.GetValue(baseSteps),
                trainer.Run(CoatTask.BaseTexts(run.Seed), cancellation: run.Cancellation),
                "base"
            );
        var table = new ArmTable(without);
        for (int i = 1; i <= values.GetValue(seeds); i++)
        {
            ulong seed = run.Seed + (ulong)i;
            using var coat = new CoatRun(
                baseModel,
                settings,
                seed,
                (part, steps, reports) => run.Train($"seed {seed}, {part}", steps, reports, $"seed{seed}/{part}")
            );
            Add("format tuning only", coat.Measure(coat.Tuned, run.HeldOut));
            foreach (
                var (arm, restarts, asksToReflect) in ((string, Func<PostTrain.Refinement.Restarts.Restart, bool>?, bool)[])
                    [
                        (without, null, false),
                        ("restart and explore", _ => true, true),
                        ("restarts without the token", _ => true, false),
                        ("of right rollouts only (control)", restart => restart.EarlierReward == 1, false),
                    ]
            )
            {
                using var policy = await coat.TrainAsync(
                    restarts,
                    asksToReflect,
                    (part, steps, reports) => run.TrainAsync($"seed {seed}, {arm}, {part}", steps, reports, $"seed{seed}/{arm}/{part}")
                );
                Add(arm, coat.Measure(policy, run.HeldOut));
            }
        }
        table.Print();
        run.Finish(
            run.Page(
                    "Meta-actions, restart and explore",
                    "Sums modulo ten in steps. The policy marks each step as going on, checking the last one, or beginning again. Errors "
                        + "are planted into held-out derivations; what follows is sampled. A step is reconsidered if the next one checks "
                        + "it or begins again."
                )
                .Table($"Shares, {values.GetValue(seeds)} seeds", table.Means)
                .Table("Paired differences", table.Differences)
                .Paragraph(
                    "All arms start from the same format-tuned model and draw as many completions. Restart and explore appends the token "
                        + "that asks to reflect; without it the policy itself chooses what to do after the prefix. The control restarts in "
                        + "that way from right rollouts only, in which there is little to repair."
                ),
            table.Summary
        );

        void Add(string arm, IEnumerable<(string Measure, double Value)> measures)
        {
            foreach (var (measure, value) in measures)
            {
                Console.WriteLine($"{arm}: {measure} {value:F3}");
                table.Add(arm, measure, value);
            }
        }
    }
);
