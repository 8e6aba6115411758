#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Satori: meta-action tokens, format tuning, and PPO that restarts within its own rollouts, compared with PPO without restarts.
//   dotnet run -c Release samples/experiments/satori.cs [-- --seeds 5 --steps 10 --rounds 4 --output DIR]
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;

const string without = "PPO without restarts";
var command = new SampleCommand(
    "satori",
    "Compares PPO with and without restarts within rollouts; --steps are PPO's in a round.",
    steps: 10,
    heldOut: 150
);
var seeds = command.Option("--seeds", "Number of seeds, at least 2.", 5, OptionRange.AtLeast(2));
var rounds = command.Option("--rounds", "Rounds of PPO.", 2, OptionRange.AtLeast(1));
var baseSteps = command.Option("--base-steps", "Steps of the base model on plain notes.", 1200, OptionRange.AtLeast(1));
var formatSteps = command.Option("--format-steps", "Steps of format tuning.", 600, OptionRange.AtLeast(1));
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        var settings = new CoatSettings
        {
            Steps = run.Steps,
            Rounds = values.GetValue(rounds),
            FormatSteps = values.GetValue(formatSteps),
        };
        using var baseModel = CoatTask.Model(seed: 1);
        using (
            var trainer = new SftTrainer(
                baseModel,
                CoatTask.Tokenizer(),
                new SftOptions
                {
                    Steps = values.GetValue(baseSteps),
                    BatchSize = 64,
                    LearningRate = 2e-3,
                    WarmupSteps = 50,
                    Schedule = LearningRateSchedule.Cosine,
                }
            )
        )
            run.Train(
                "base model on plain notes",
                values.GetValue(baseSteps),
                trainer.Run(CoatTask.Notes(CoatTask.Problems(8000, false, 1), slip: 0.15, seed: 1), cancellation: run.Cancellation),
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
                    "Sums of four digits modulo ten in steps. The policy marks each step as going on, checking the last one, or beginning "
                        + "again. Errors are planted into held-out derivations; what follows is sampled."
                )
                .Table($"Shares, {values.GetValue(seeds)} seeds", table.Means)
                .Table("Paired differences", table.Differences)
                .Paragraph(
                    "All arms start from the same format-tuned model and draw as many completions. Restart and explore appends the token "
                        + "that asks to reflect; without it the policy itself chooses what to do after the prefix. The control restarts in "
                        + "that way from right rollouts only, in which there is nothing to repair."
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
