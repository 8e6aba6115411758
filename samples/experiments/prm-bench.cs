#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// PRMBench on derivations in arithmetic: nine kinds of wrong steps, judged by constant and random models, by a checker of equations, and
// by a small process reward model. With --data the benchmark's own file, judged by the model of --model.
//   dotnet run -c Release samples/experiments/prm-bench.cs [-- --steps N --records N --model DIR --data FILE --output DIR]
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.RewardModeling;
using PostTrain.RewardModeling.Benchmarks;
using PostTrain.Rewards.Steps;
using PostTrain.Samples.Support;
using PostTrain.Text;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var command = new SampleCommand("prm-bench", "Scores process reward models by nine kinds of wrong steps.", steps: 1500);
var count = command.Option("--records", "Generated records of each category.", 100, OptionRange.AtLeast(1));
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        var categories = Enum.GetValues<PrmBenchCategory>();
        bool isToy = run.Data is null;
        IReadOnlyList<PrmBenchRecord> records = isToy
            ? [.. categories.SelectMany(category => PrmBenchGenerator.Create(category, values.GetValue(count), seed: 1))]
            : PrmBenchRecord.Read(run.Data!);
        int right = records.Sum(record => record.Labels.Count(label => label == 1)),
            wrong = records.Sum(record => record.ErrorSteps.Count);
        Console.WriteLine($"{records.Count} solutions, {right} right steps and {wrong} wrong ones");
        var random = new Random((int)run.Seed);
        var models = new List<(string Name, IStepReward Reward)>
        {
            ("every step right", StepReward.Rule("right", (_, _) => true)),
            ("every step wrong", StepReward.Rule("wrong", (_, _) => false)),
            (
                "random, one half",
                StepReward.OfAll(
                    "random",
                    (items, _, _) => new([.. items.Select(item => item.Steps.Select(_ => (double)random.Next(2)).ToArray())])
                )
            ),
            ("checker of equations", StepReward.Arithmetic()),
        };
        using var trained =
            isToy ? Trained()
            : run.Model is { } folder ? Pretrained.LoadRewardModel(folder)
            : null;
        if (trained is not null)
            models.Add(("process reward model", LearnedRewards.Steps(trained, isToy ? Characters() : TokenizerFiles.Load(run.Model!))));
        var results = new List<(string Name, IReadOnlyDictionary<PrmBenchCategory, PrmBenchScore> Scores)>();
        foreach (var (name, reward) in models)
            results.Add((name, await PrmBench.ScoreAsync(records, reward, cancellation: run.Cancellation)));
        string Score(double value) => double.IsNaN(value) ? "–" : $"{value:F3}";
        var table = new ReportTable(
            ["PRMScore", .. categories.Select(category => PrmBenchRecord.NameOf(category)), "all"],
            [
                .. results.Select(result =>
                    (string[])
                        [
                            result.Name,
                            .. categories.Select(category =>
                                !result.Scores.TryGetValue(category, out var score) ? "–"
                                : category == PrmBenchCategory.MultipleSolutions ? Score(score.RightStepAccuracy)
                                : Score(score.PrmScore)
                            ),
                            Score(PrmBench.Total(result.Scores.Values).PrmScore),
                        ]
                ),
            ]
        );
        ConsoleTable.Print(table);
        Console.WriteLine("multi_solutions: share of right steps that are judged right");
        double constant = PrmScoreBaselines.Constant(true, right, wrong).PrmScore(),
            coin = wrong > 0 ? PrmScoreBaselines.Random(0.5, right, wrong) : double.NaN;
        Console.WriteLine($"in closed form: every step right {constant:F3}, random {coin:F3}");
        run.Finish(
            run.Page("PRMBench", $"{records.Count} solutions, {right} right steps and {wrong} wrong ones.")
                .Table("PRMScore by category; of multi_solutions the share of right steps that are judged right", table)
                .Paragraph($"In closed form: every step right {constant:F3}, random {coin:F3}."),
            results
                .Select(result => new KeyValuePair<string, object>(result.Name, PrmBench.Total(result.Scores.Values).PrmScore))
                .Append(new("closed form, every step right", constant))
                .Append(new("closed form, random", coin))
        );

        // Other derivations of every category.
        SequenceClassifier Trained()
        {
            var tokenizer = Characters();
            var model = SequenceClassifier.For(
                Decoder.Create(
                    new DecoderConfig
                    {
                        VocabularySize = tokenizer.VocabularySize,
                        ContextLength = 256,
                        HiddenSize = 96,
                        Layers = 3,
                        Heads = 6,
                        FeedForwardSize = 192,
                    },
                    run.Seed
                ),
                new ClassifierOptions { Labels = 1 }
            );
            StepwiseExample[] data =
            [
                .. categories.SelectMany(category => PrmBenchGenerator.Create(category, 2000, seed: 2)).Select(record => record.Example),
            ];
            using var trainer = new ProcessRewardTrainer(
                model,
                tokenizer,
                new ProcessRewardOptions
                {
                    Steps = run.Steps,
                    BatchSize = 32,
                    LearningRate = 1e-3,
                    WarmupSteps = run.Steps / 20,
                    Schedule = LearningRateSchedule.Cosine,
                    Seed = run.Seed,
                }
            );
            run.Train("process reward model", run.Steps, trainer.Run(data, cancellation: run.Cancellation), "prm");
            return model;
        }

        static CharacterTokenizer Characters() => new("0123456789 +-*/=.,;?abcdefghijklmnopqrstuvwxyzSWTIM\n");
    }
);
