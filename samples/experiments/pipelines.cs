#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Whole recipes on sums: InstructGPT's (SFT, reward model, PPO-ptx), Llama 3's (rounds of rejection sampling, SFT, DPO, averaging),
// Qwen2's (SFT, offline DPO, online DPO with merging), R1's (cold start, GRPO, rejection sampling, GRPO with a learnt reward, a smaller
// student). Right answers to held-out sums after each stage, one drawn answer each, with their intervals.
//   dotnet run -c Release samples/experiments/pipelines.cs [-- --recipe r1 --steps N --output DIR --resume true]
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

string[] names = ["instructgpt", "llama3", "qwen2", "r1"];
var command = new SampleCommand("pipelines", $"Runs a whole recipe on sums: {string.Join(", ", names)}.", steps: 30, heldOut: 200);
var recipeName = command.Option("--recipe", "Which of them.", "llama3");
var chance = command.Option("--chance", "Control: a reward that a completion's letters decide, not its sum.", false);
var resume = command.Option("--resume", "Go on with the run in the output folder.", false);
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        string name = values.GetValue(recipeName)!;
        if (!names.Contains(name))
            throw new ArgumentException($"--recipe is '{name}', expected {string.Join(", ", names)}");
        using var subject = Subject.Load(run);
        if (!subject.IsToy)
            throw new ArgumentException("--model is given, expected none: the stages' data are generated for the project's own model");
        var (policy, tokenizer) = (subject.Model, subject.Tokenizer);
        var problems = ArithmeticTask.Problems(400, heldOut: false, run.Seed);
        var heldOut = ArithmeticTask.Problems(run.HeldOut, heldOut: true, run.Seed);
        // A few demonstrations with slips, and few steps on them: what the later stages add can be seen.
        var demonstrations = ArithmeticTask.Drafts(problems.Take(100), run.Seed);
        var reward = values.GetValue(chance)
            ? Reward.Of("chance", completion => completion.Text.Sum(letter => letter) % 7 < 3 ? 1 : 0)
            : Reward.MathAnswer(new MathAnswerOptions { Places = AnswerPlaces.Tags });
        var sampling = new SamplingOptions { MaxNewTokens = 48 };
        string folder = run.PathOf("run");
        SftOptions longSft = With(new SftOptions { LearningRate = 1e-3 });
        SftOptions sft = longSft with { Steps = Math.Max(1, run.Steps / 3), WarmupSteps = 0 };
        DpoOptions dpo = With(new LlamaRoundsOptions().Preference with { LearningRate = 1e-4 });
        using var scored = SequenceClassifier.For(policy.Copy());
        // R1's smaller model: two of the three layers of the base.
        using var student = StructuredPruning.WithoutLayers(policy, 1);
        var stages = new List<(string Name, Proportion Right)> { ("base", Right(policy)) };
        Recipe recipe;
        Func<IAsyncEnumerable<RecipeReport>> start;
        switch (name)
        {
            case "instructgpt":
                var instruct = new InstructGptPipeline(
                    policy,
                    tokenizer,
                    new InstructGptOptions
                    {
                        Directory = folder,
                        StageEnded = MeasureAsync,
                        RewardModel = scored,
                        Supervised = sft,
                        RewardTraining = With(new RewardOptions { LearningRate = 1e-3 }) with { Steps = 3 * run.Steps },
                        Reinforcement = With(
                            new PpoOptions
                            {
                                LearningRate = 3e-4,
                                Sampling = sampling,
                                Kl = KlControl.Fixed(0.02),
                            }
                        ),
                    }
                );
                // Rankings: worked out, with slips, bare.
                var drafts = ArithmeticTask.Drafts(problems, run.Seed);
                var solutions = ArithmeticTask.Solutions(problems);
                RankedCompletions[] rankings =
                [
                    .. solutions
                        .Zip(drafts)
                        .Where(pair => pair.First.Completion.Text != pair.Second.Completion.Text)
                        .Select(pair => new RankedCompletions(
                            pair.First.Prompt,
                            [pair.First.Completion.Text, pair.Second.Completion.Text, "<answer>0</answer>"]
                        )),
                ];
                (recipe, start) = (instruct, () => instruct.RunAsync(demonstrations, rankings, problems, run.Cancellation));
                break;
            case "qwen2":
                var qwen = new QwenPipeline(
                    policy,
                    tokenizer,
                    reward,
                    new QwenPipelineOptions
                    {
                        Directory = folder,
                        StageEnded = MeasureAsync,
                        Supervised = sft,
                        Offline = dpo,
                        Online = With(new OnlineDpoOptions { LearningRate = 1e-4, Sampling = sampling }),
                    }
                );
                var pairs = ArithmeticTask.DraftPairs(problems, run.Seed);
                (recipe, start) = (qwen, () => qwen.RunAsync(demonstrations, pairs, problems, run.Cancellation));
                break;
            case "r1":
                // The learnt reward prefers sums that are worked out to sums with slips.
                using (
                    var judge = new RewardTrainer(
                        scored,
                        tokenizer,
                        With(new RewardOptions { LearningRate = 1e-3 }) with
                        {
                            Steps = 3 * run.Steps,
                            CheckpointEvery = 0,
                        }
                    )
                )
                    run.Train("reward model", 3 * run.Steps, judge.Run(ArithmeticTask.DraftPairs(problems, run.Seed)), "judge");
                // No LanguageConsistency: sums have no letters.
                var rules = Reward.Weighted((1.0, reward), (0.1, Reward.Format(@"<think>[^<]*</think><answer>\d+</answer>")));
                var grpo = With(
                    new GrpoOptions
                    {
                        GroupSize = 8,
                        LearningRate = 1e-3,
                        Sampling = sampling,
                    }
                );
                var r1 = new R1Pipeline(
                    policy,
                    tokenizer,
                    rules,
                    new R1PipelineOptions
                    {
                        Directory = folder,
                        StageEnded = MeasureAsync,
                        ColdStart = sft,
                        Reasoning = grpo,
                        Rejection = new SelfTrainingOptions
                        {
                            SamplesPerProblem = 4,
                            Threshold = 1,
                            Training = longSft with { Steps = 2 * run.Steps },
                            Sampling = sampling,
                        },
                        Alignment = grpo,
                        AlignmentReward = Reward.Weighted((1.0, rules), (0.1, LearnedRewards.Outcome(scored, tokenizer))),
                        Student = student,
                        Distillation = longSft with { Steps = 10 * run.Steps, LearningRate = 2e-3 },
                    }
                );
                stages.Add(("student's base", Right(student)));
                (recipe, start) = (r1, () => r1.RunAsync(demonstrations, problems, cancellation: run.Cancellation));
                break;
            default:
                var llama = new LlamaRounds(
                    policy,
                    tokenizer,
                    reward,
                    new LlamaRoundsOptions
                    {
                        Directory = folder,
                        StageEnded = MeasureAsync,
                        Draws = new DrawOptions { Draws = 8, Sampling = sampling },
                        Supervised = sft,
                        Preference = dpo,
                        Seed = run.Seed,
                    }
                );
                (recipe, start) = (llama, () => llama.RunAsync(demonstrations, problems, run.Cancellation));
                break;
        }
        if (values.GetValue(resume))
            recipe.Resume();

        await foreach (var report in start())
        {
            string stage = $"{report.Stage}, round {report.Round}";
            run.Log(report.Step with { Metrics = report.Step.Metrics.ToDictionary(item => $"{stage}/{item.Key}", item => item.Value) });
        }
        var table = new ReportTable(
            ["after", "right answers"],
            [.. stages.Select(stage => (string[])[stage.Name, stage.Right.ToString()])]
        );
        ConsoleTable.Print(table);
        subject.Save(policy, run.PathOf("model"));
        run.Finish(
            run.Page($"Pipeline: {name}", "Right answers to held-out sums, one drawn answer each, after each stage; one run.")
                .Table("Stages", table)
                .Proportions("Right answers", [.. stages.Select(stage => new NamedProportion(stage.Name, stage.Right))]),
            new Dictionary<string, object>
            {
                ["recipe"] = name,
                ["accuracy_before"] = stages[0].Right.Value,
                ["accuracy_after"] = stages[^1].Right.Value,
                ["accuracy_after_interval"] = stages[^1].Right.Interval(),
            }
        );

        // One drawn answer to each: the most likely one hides the slips.
        Proportion Right(CausalLm model) =>
            Measure.Right(Sampled.Completions(model, tokenizer, heldOut, subject.Sampling(sampling.MaxNewTokens), seed: 0));

        // A reward model answers nothing.
        Task MeasureAsync(RecipeStage stage, CancellationToken cancellation)
        {
            if (stage.Model is CausalLm model)
                stages.Add(($"{stage.Name}, round {stage.Round}", Right(model)));
            return Task.CompletedTask;
        }

        T With<T>(T options)
            where T : TrainingOptions =>
            (T)(
                options with
                {
                    Steps = run.Steps,
                    BatchSize = 32,
                    WarmupSteps = run.Steps / 10,
                    Schedule = LearningRateSchedule.Cosine,
                    CheckpointEvery = Math.Max(1, run.Steps / 3),
                    Seed = run.Seed,
                }
            );
    }
);
