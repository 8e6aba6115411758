#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Whole recipes on sums: R1's (cold start, GRPO, rejection sampling, GRPO, distillation), InstructGPT's (SFT, reward model, PPO-ptx),
// Llama 3's (rounds of rejection sampling, SFT, DPO, averaging), Qwen2's (SFT, offline DPO, online DPO with merging). Right answers to
// held-out sums, drawn at temperature 1, at the end of each stage, and each stage's gain over seeds. The control runs the same stages with
// answers and rankings that are drawn by chance. Numbers: docs/recipes.md.
//   dotnet run -c Release samples/experiments/pipelines.cs [-- --recipe llama3 --seeds 5 --steps N --control true --output DIR]
using PostTrain.Compression.Pruning;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.Preference;
using PostTrain.Preference.Online;
using PostTrain.Recipes;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

const string smaller = "student's base";
const int tokens = 48;
string[] names = ["r1", "instructgpt", "llama3", "qwen2"];
var command = new SampleCommand("pipelines", $"Runs a whole recipe on sums: {string.Join(", ", names)}.", steps: 30, heldOut: 200);
var recipeName = command.Option("--recipe", "Which of them.", "llama3");
var seeds = command.Option("--seeds", "Number of seeds.", 1, OptionRange.AtLeast(1));
var count = command.Option("--problems", "Sums to learn from.", 200, OptionRange.AtLeast(10));
var control = command.Option("--control", "Run the control too.", false);
var resume = command.Option("--resume", "Go on with the run in the output folder.", false);
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        string name = values.GetValue(recipeName)!;
        if (!names.Contains(name))
            throw new ArgumentException($"--recipe is '{name}', expected {string.Join(", ", names)}");
        if (run.Model is not null)
            throw new ArgumentException("--model is given, expected none: the stages' data are generated for the project's own model");
        var results = new List<(string Stage, double Right)>();
        var controls = new List<(string Stage, double Right)>();
        for (int i = 0; i < values.GetValue(seeds); i++)
        {
            ulong seed = run.Seed + (ulong)i;
            results.AddRange(await Pipeline(seed, byChance: false, run.PathOf(i == 0 ? "run" : $"run-{seed}")));
            if (values.GetValue(control))
                controls.AddRange(await Pipeline(seed, byChance: true, run.PathOf($"control-{seed}")));
        }
        double[] Of(IEnumerable<(string Stage, double Right)> all, string stage) =>
            [.. all.Where(item => item.Stage == stage).Select(item => item.Right)];
        string Gain(IReadOnlyList<(string Stage, double Right)> all, string stage, string? before) =>
            before is null ? "–" : PairedTest.Of(Of(all, stage), Of(all, before)).ToString();
        string[] stages = [.. results.Select(item => item.Stage).Distinct()];
        // What the student gains is over its own base, which is measured first.
        string? Before(int i) =>
            stages[i] == "base" || stages[i] == smaller ? null
            : stages[i] == R1Pipeline.Distillation ? smaller
            : stages.Take(i).Last(stage => stage != R1Pipeline.Distillation);
        string[] Row(int i)
        {
            string[] own = [stages[i], Estimate.Of(Of(results, stages[i])).ToString(), Gain(results, stages[i], Before(i))];
            return controls.Count == 0
                ? own
                : [.. own, Estimate.Of(Of(controls, stages[i])).ToString(), Gain(controls, stages[i], Before(i))];
        }
        var table = new ReportTable(
            ["after", "right answers", "gain", .. controls.Count == 0 ? (string[])[] : ["control", "control's gain"]],
            [.. stages.Select((_, i) => Row(i))]
        );
        ConsoleTable.Print(table);
        string last = stages.Last(stage => stage != R1Pipeline.Distillation);
        var whole = PairedTest.Of(Of(results, last), Of(results, "base"));
        run.Finish(
            run.Page(
                    $"Pipeline: {name}",
                    $"Right answers to {run.HeldOut} held-out sums at the end of each stage, drawn at temperature 1; "
                        + $"{values.GetValue(seeds)} seeds, each from the "
                        + "same base. Means with Student's 95 % intervals; gains over the stage before, seed by seed."
                )
                .Table("Stages", table)
                .Paragraph("The control has the same stages and demonstrations, but answers and rankings that are drawn by chance."),
            new Dictionary<string, object>
            {
                ["recipe"] = name,
                ["seeds"] = values.GetValue(seeds),
                ["accuracy_before"] = Of(results, "base").Average(),
                ["accuracy_after"] = Of(results, last).Average(),
                ["gain"] = whole.ToString(),
            }
        );

        async Task<IReadOnlyList<(string Stage, double Right)>> Pipeline(ulong seed, bool byChance, string folder)
        {
            using var subject = Subject.Load(Folders.ArithmeticBase, isToy: true);
            var (policy, tokenizer) = (subject.Model, subject.Tokenizer);
            var problems = ArithmeticTask.Problems(values.GetValue(count), heldOut: false, seed);
            var heldOut = ArithmeticTask.Problems(run.HeldOut, heldOut: true, seed);
            // A few demonstrations with slips, and few steps on them: what the later stages add can be seen.
            var demonstrations = ArithmeticTask.Drafts(problems.Take(100), seed);
            var random = new Random((int)seed);
            if (byChance)
            {
                string[] answers = [.. problems.Select(problem => problem.Answer!)];
                random.Shuffle(answers);
                problems = [.. problems.Select((problem, i) => problem with { Answer = answers[i] })];
            }
            using var scored = SequenceClassifier.For(policy.Copy());
            // R1's smaller model: two of the three layers of the base.
            using var student = StructuredPruning.WithoutLayers(policy, 1);
            var measured = new List<(string Stage, double Right)>();
            if (name == "r1")
                Add(smaller, student);
            Add("base", policy);
            var (recipe, start) = Recipe(
                new Stages(policy, student, scored, tokenizer, seed, folder, MeasureAsync),
                problems,
                demonstrations,
                byChance ? random : null
            );
            if (values.GetValue(resume))
                recipe.Resume();
            await foreach (var report in start())
                run.Log(
                    report.Step with
                    {
                        Metrics = report.Step.Metrics.ToDictionary(
                            item => $"seed{seed}/{report.Stage}, round {report.Round}/{item.Key}",
                            item => item.Value
                        ),
                    }
                );
            if (!byChance)
                subject.Save(policy, run.PathOf(seed == run.Seed ? "model" : $"model-{seed}"));
            return measured;

            // A reward model answers nothing.
            Task MeasureAsync(RecipeStage stage, CancellationToken cancellation)
            {
                if (stage.Model is Decoder model)
                    Add(name == "llama3" ? $"{stage.Name}, round {stage.Round}" : stage.Name, model);
                return Task.CompletedTask;
            }

            void Add(string stage, Decoder model)
            {
                measured.Add((stage, Right(model)));
                Console.WriteLine($"seed {seed}{(byChance ? ", control" : "")}, {stage}: {measured[^1].Right:P1}");
            }

            double Right(Decoder model)
            {
                // Drawn as in training: the likeliest answers of the careless base are right as soon as it works sums out.
                var drawn = Sampled.Completions(model, tokenizer, heldOut, new SamplingOptions { MaxNewTokens = tokens }, seed);
                model.train();
                return Measure.Right(drawn).Value;
            }
        }

        (Recipe Recipe, Func<IAsyncEnumerable<RecipeReport>> Start) Recipe(
            Stages to,
            IReadOnlyList<Problem> problems,
            IReadOnlyList<Demonstration> demonstrations,
            Random? chance
        )
        {
            var reward = Reward.MathAnswer(new MathAnswerOptions { Places = AnswerPlaces.Tags });
            var sampling = new SamplingOptions { MaxNewTokens = tokens };
            SftOptions longSft = With(new SftOptions { LearningRate = 1e-3 }, to.Seed);
            SftOptions sft = longSft with { Steps = Math.Max(1, run.Steps / 3), WarmupSteps = 0 };
            DpoOptions dpo = With(new LlamaRoundsOptions().Preference with { LearningRate = 1e-4 }, to.Seed);
            switch (name)
            {
                case "r1":
                    GrpoOptions grpo = With(
                        new GrpoOptions
                        {
                            LearningRate = 1e-3,
                            GroupSize = 8,
                            Objective = PolicyObjectives.DrGrpo(40),
                            Sampling = sampling,
                        },
                        to.Seed
                    ) with
                    {
                        BatchSize = 8,
                    };
                    // The learnt reward prefers sums that are worked out to sums with slips.
                    using (
                        var judge = new RewardTrainer(
                            to.Scored,
                            to.Tokenizer,
                            With(new RewardOptions { LearningRate = 1e-3 }, to.Seed) with
                            {
                                Steps = 3 * run.Steps,
                                CheckpointEvery = 0,
                            }
                        )
                    )
                        _ = judge.Run(Pairs(), cancellation: run.Cancellation).Last();
                    // No LanguageConsistency: sums have no letters.
                    var rules = Reward.Weighted((1.0, reward), (0.1, Reward.Format(@"<think>[^<]*</think><answer>\d+</answer>")));
                    var r1 = new R1Pipeline(
                        to.Policy,
                        to.Tokenizer,
                        rules,
                        new R1PipelineOptions
                        {
                            Directory = to.Folder,
                            StageEnded = to.Ended,
                            ColdStart = sft,
                            Reasoning = grpo,
                            Rejection = new SelfTrainingOptions
                            {
                                SamplesPerProblem = 4,
                                Threshold = 1,
                                Training = longSft with { Steps = 2 * run.Steps },
                                Sampling = sampling,
                                Seed = to.Seed,
                            },
                            Alignment = grpo with { Seed = to.Seed + 1000, LearningRate = 5e-4 },
                            AlignmentReward = Reward.Weighted((1.0, rules), (0.1, LearnedRewards.Outcome(to.Scored, to.Tokenizer))),
                            Student = to.Student,
                            Distillation = longSft with { Steps = 10 * run.Steps, LearningRate = 2e-3 },
                        }
                    );
                    return (r1, () => r1.RunAsync(demonstrations, problems, cancellation: run.Cancellation));
                case "instructgpt":
                    var instruct = new InstructGptPipeline(
                        to.Policy,
                        to.Tokenizer,
                        new InstructGptOptions
                        {
                            Directory = to.Folder,
                            StageEnded = to.Ended,
                            RewardModel = to.Scored,
                            Supervised = sft,
                            RewardTraining = With(new RewardOptions { LearningRate = 1e-3 }, to.Seed) with { Steps = 3 * run.Steps },
                            Reinforcement = With(
                                new PpoOptions
                                {
                                    LearningRate = 3e-4,
                                    Sampling = sampling,
                                    Kl = KlControl.Fixed(0.02),
                                },
                                to.Seed
                            ),
                        }
                    );
                    // Rankings: worked out, with slips, bare.
                    var drafts = ArithmeticTask.Drafts(problems, to.Seed);
                    RankedCompletions[] rankings =
                    [
                        .. ArithmeticTask
                            .Solutions(problems)
                            .Zip(drafts)
                            .Where(pair => pair.First.Completion.Text != pair.Second.Completion.Text)
                            .Select(pair => new RankedCompletions(
                                pair.First.Prompt,
                                Ranked(pair.First.Completion.Text, pair.Second.Completion.Text, "<answer>0</answer>")
                            )),
                    ];
                    return (instruct, () => instruct.RunAsync(demonstrations, rankings, problems, run.Cancellation));
                case "qwen2":
                    var qwen = new QwenPipeline(
                        to.Policy,
                        to.Tokenizer,
                        reward,
                        new QwenPipelineOptions
                        {
                            Directory = to.Folder,
                            StageEnded = to.Ended,
                            Supervised = sft,
                            Offline = dpo,
                            Online = With(new OnlineDpoOptions { LearningRate = 1e-4, Sampling = sampling }, to.Seed),
                        }
                    );
                    var pairs = Pairs();
                    return (qwen, () => qwen.RunAsync(demonstrations, pairs, problems, run.Cancellation));
                default:
                    var llama = new LlamaRounds(
                        to.Policy,
                        to.Tokenizer,
                        reward,
                        new LlamaRoundsOptions
                        {
                            Directory = to.Folder,
                            StageEnded = to.Ended,
                            Draws = new DrawOptions { Draws = 8, Sampling = sampling },
                            Supervised = sft,
                            Preference = dpo,
                            Seed = to.Seed,
                        }
                    );
                    return (llama, () => llama.RunAsync(demonstrations, problems, run.Cancellation));
            }

            PreferencePair[] Pairs() =>
                [
                    .. ArithmeticTask
                        .DraftPairs(problems, to.Seed)
                        .Select(pair =>
                            Ranked(pair.Chosen.Text, pair.Rejected.Text) is [var better, var worse]
                                ? new PreferencePair(pair.Prompt, better, worse)
                                : pair
                        ),
                ];

            string[] Ranked(params string[] order)
            {
                chance?.Shuffle(order);
                return order;
            }
        }

        T With<T>(T options, ulong seed)
            where T : TrainingOptions =>
            (T)(
                options with
                {
                    Steps = run.Steps,
                    BatchSize = 32,
                    WarmupSteps = run.Steps / 10,
                    Schedule = LearningRateSchedule.Cosine,
                    CheckpointEvery = Math.Max(1, run.Steps / 3),
                    Seed = seed,
                }
            );
    }
);

// What the stages of one run are made of.
internal sealed record Stages(
    Decoder Policy,
    Decoder Student,
    SequenceClassifier Scored,
    PostTrain.Text.ITokenizer Tokenizer,
    ulong Seed,
    string Folder,
    Func<RecipeStage, CancellationToken, Task> Ended
);
