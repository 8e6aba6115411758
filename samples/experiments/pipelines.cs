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

const string student = "student",
    distilled = "student, distilled";
const int tokens = 48;
string[] names = ["r1", "instructgpt", "llama3", "qwen2"];
var command = new SampleCommand("pipelines", $"Runs a whole recipe on sums: {string.Join(", ", names)}.", steps: 30, heldOut: 200);
var recipeName = command.Option("--recipe", "Which of them.", "llama3");
var seeds = command.Option("--seeds", "Number of seeds.", 1, OptionRange.AtLeast(1));
var count = command.Option("--problems", "Sums to learn from.", 200, OptionRange.AtLeast(10));
var few = command.Option("--demonstrations", "Sums worked out for the first stage.", 16, OptionRange.AtLeast(1));
var startRate = command.Option("--start-rate", "Learning rate of the supervised stages.", 3e-4, OptionRange.Positive);
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
        // What the student gains is over the untrained student.
        string? Before(int i) => i == 0 || stages[i] == student ? null : stages[i - 1];
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
        string last = stages[^1] == distilled ? stages[^3] : stages[^1];
        var whole = PairedTest.Of(Of(results, last), Of(results, stages[0]));
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
                ["accuracy_before"] = Of(results, stages[0]).Average(),
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
            // A few demonstrations: what the later stages add can be seen.
            var demonstrations = ArithmeticTask.Solutions(problems.Take(values.GetValue(few)));
            var random = new Random((int)seed);
            if (byChance)
            {
                string[] answers = [.. problems.Select(problem => problem.Answer!)];
                random.Shuffle(answers);
                problems = [.. problems.Select((problem, i) => problem with { Answer = answers[i] })];
            }
            using var scored = SequenceClassifier.For(policy.Copy());
            var (recipe, start) = Recipe(
                new Stages(policy, tokenizer, seed, folder),
                problems,
                demonstrations,
                byChance ? random : null,
                scored
            );
            if (values.GetValue(resume))
                recipe.Resume();

            var measured = new List<(string Stage, double Right)> { ("base", Right(policy)) };
            await foreach (var report in start())
            {
                string stage = report.Round == 1 && name != "llama3" ? report.Stage : $"{report.Stage}, round {report.Round}";
                run.Log(
                    report.Step with
                    {
                        Metrics = report.Step.Metrics.ToDictionary(item => $"seed{seed}/{stage}/{item.Key}", item => item.Value),
                    }
                );
                // The reward model's stage leaves the policy as it is.
                if (report.Step.Step == run.Steps && report.Stage != InstructGptPipeline.RewardModel)
                    Add(stage, policy);
            }
            // Averaging comes after the last step; a run that was finished before has no steps.
            if (name == "llama3" || measured.Count == 1)
                Add(name == "llama3" ? "averaged" : "end", policy);
            if (name == "r1")
            {
                using var small = StructuredPruning.WithoutLayers(Pretrained.Load(Folders.ArithmeticBase), 1);
                Add(student, small);
                Distil(policy, small, problems, tokenizer, seed);
                Add(distilled, small);
            }
            if (!byChance)
                subject.Save(policy, run.PathOf(seed == run.Seed ? "model" : $"model-{seed}"));
            return measured;

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

        // R1's last step: the student learns the policy's own completions of all problems.
        void Distil(Decoder policy, Decoder small, IReadOnlyList<Problem> problems, PostTrain.Text.ITokenizer tokenizer, ulong seed)
        {
            var drawn = Sampled.Completions(policy, tokenizer, problems, new SamplingOptions { MaxNewTokens = tokens }, seed);
            Demonstration[] shown =
            [
                .. drawn.Where(answer => answer.Finished).Select(answer => new Demonstration(answer.Problem.Prompt, answer.Text)),
            ];
            using var trainer = new SftTrainer(
                small,
                tokenizer,
                With(new SftOptions { LearningRate = 2e-3 }, seed) with
                {
                    Steps = 10 * run.Steps,
                    CheckpointEvery = 0,
                }
            );
            run.Train("distillation", 10 * run.Steps, trainer.Run(shown, cancellation: run.Cancellation), $"seed{seed}/distillation");
        }

        (Recipe Recipe, Func<IAsyncEnumerable<RecipeReport>> Start) Recipe(
            Stages to,
            IReadOnlyList<Problem> problems,
            IReadOnlyList<Demonstration> demonstrations,
            Random? chance,
            SequenceClassifier scored
        )
        {
            var reward = Reward.MathAnswer(new MathAnswerOptions { Places = AnswerPlaces.Tags });
            var sampling = new SamplingOptions { MaxNewTokens = tokens };
            SftOptions sft = With(new SftOptions { LearningRate = values.GetValue(startRate) }, to.Seed);
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
                    var r1 = new R1Pipeline(
                        to.Policy,
                        to.Tokenizer,
                        // An answer, and the format in which it was thought about.
                        Reward.Weighted((1.0, reward), (0.1, Reward.Format(@"<think>[^<]*</think><answer>[0-9]+</answer>"))),
                        new R1PipelineOptions
                        {
                            Directory = to.Folder,
                            ColdStart = sft,
                            Reasoning = grpo,
                            Rejection = new SelfTrainingOptions
                            {
                                SamplesPerProblem = 4,
                                Sampling = sampling,
                                Training = sft with { Steps = run.Steps },
                                Seed = to.Seed,
                            },
                            Alignment = grpo with { Seed = to.Seed + 1000, LearningRate = 5e-4 },
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
                            RewardModel = scored,
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
                            Supervised = sft,
                            Offline = dpo,
                            Online = With(new OnlineDpoOptions { LearningRate = 1e-4, Sampling = sampling }, to.Seed),
                        }
                    );
                    PreferencePair[] pairs =
                    [
                        .. ArithmeticTask
                            .DraftPairs(problems, to.Seed)
                            .Select(pair =>
                                Ranked(pair.Chosen.Text, pair.Rejected.Text) is var order
                                    ? new PreferencePair(pair.Prompt, order[0], order[1])
                                    : pair
                            ),
                    ];
                    return (qwen, () => qwen.RunAsync(demonstrations, pairs, problems, run.Cancellation));
                default:
                    var llama = new LlamaRounds(
                        to.Policy,
                        to.Tokenizer,
                        reward,
                        new LlamaRoundsOptions
                        {
                            Directory = to.Folder,
                            Draws = new DrawOptions { Draws = 8, Sampling = sampling },
                            Supervised = sft,
                            Preference = dpo,
                            Seed = to.Seed,
                        }
                    );
                    return (llama, () => llama.RunAsync(demonstrations, problems, run.Cancellation));
            }

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

// What the stages of one run are made for.
internal sealed record Stages(Decoder Policy, PostTrain.Text.ITokenizer Tokenizer, ulong Seed, string Folder);
