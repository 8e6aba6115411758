#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// A language model learns to read pictures in LLaVA's two stages, then by reinforcement learning: number, colour and place of drawn shapes.
//   dotnet run -c Release samples/experiments/pictures.cs [-- --steps N --early N --grpo-steps N --output DIR]
using PostTrain.Data;
using PostTrain.Policy;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;
using PostTrain.Vision;
using static TorchSharp.torch;

var command = new SampleCommand(
    "pictures",
    "Trains a small model to read pictures; --steps are those of the second stage.",
    steps: 2500,
    heldOut: 600
);
var textSteps = command.Option("--text-steps", "Steps of the language model on texts.", 1500, OptionRange.AtLeast(1));
var projectorSteps = command.Option("--projector-steps", "Steps of the projector on descriptions.", 600, OptionRange.AtLeast(1));
var grpoSteps = command.Option("--grpo-steps", "Steps of GRPO, from a point of the second stage.", 60, OptionRange.AtLeast(1));
var early = command.Option("--early", "Steps of the second stage before GRPO.", 800, OptionRange.AtLeast(1));
var count = command.Option("--pictures", "Pictures to learn from.", 6000, OptionRange.AtLeast(10));
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        var plain = ShapesTask.Tokenizer();
        using var model = ShapesTask.Model(run.Seed + 1);
        var scenes = ShapesTask.Scenes(values.GetValue(count), run.Seed + 10);
        var unseen = ShapesTask.Scenes(run.HeldOut, run.Seed + 11);
        // Held-out pictures stand behind the others.
        using (NewDisposeScope())
            model.Show(ShapesTask.Pictures([.. scenes, .. unseen]));
        var tokenizer = new PictureTokenizer(plain, model);
        var questions = ShapesTask.Questions(scenes, run.Seed);
        var asked = ShapesTask.Questions([.. scenes, .. unseen], run.Seed).Skip(scenes.Count).ToArray();

        // 0. A language model: descriptions, and questions about them.
        model.Train(VisionParts.Language);
        Demonstration[] texts =
        [
            .. ShapesTask.TextQuestions(scenes, run.Seed),
            .. scenes.Select(scene => new Demonstration("", scene.Description)),
        ];
        Train("0. texts", values.GetValue(textSteps), texts, 3e-3);
        var stages = new List<(string Name, IReadOnlyList<PostTrain.Rewards.Completion> Answers)> { ("language model", Answers()) };

        // 1. The projector alone: the language model keeps its bits.
        model.Train(VisionParts.Projector);
        Train("1. projector", values.GetValue(projectorSteps), ShapesTask.Descriptions(scenes), 3e-3);
        stages.Add(("projector", Answers()));

        // 2. Projector and language model, on questions.
        model.Train(VisionParts.Projector | VisionParts.Language);
        Demonstration[] lessons = [.. questions.Select(problem => new Demonstration(problem.Prompt, problem.Answer!))];
        int before = Math.Min(values.GetValue(early), run.Steps);
        Train("2. questions", before, lessons, 1e-3);
        stages.Add(($"questions, {before} steps", Answers()));
        string folder = run.PathOf("early");
        Llava.Save(model, plain, folder);

        // Reinforcement learning from here, on a copy.
        using (var policy = Llava.Load(folder))
        {
            using (NewDisposeScope())
                policy.Show(ShapesTask.Pictures([.. scenes, .. unseen]));
            policy.Train(VisionParts.Projector | VisionParts.Language);
            using var trainer = new GrpoTrainer(
                policy,
                tokenizer,
                ShapesTask.Right,
                new GrpoOptions
                {
                    Steps = values.GetValue(grpoSteps),
                    BatchSize = 32,
                    GroupSize = 8,
                    LearningRate = 3e-4,
                    Objective = PolicyObjectives.DrGrpo(4),
                    Sampling = new SamplingOptions { MaxNewTokens = 4 },
                    Seed = run.Seed,
                }
            );
            await run.TrainAsync("GRPO", values.GetValue(grpoSteps), trainer.RunAsync(questions, cancellation: run.Cancellation), "grpo");
            stages.Add(("GRPO from there", Answers(policy)));
        }
        if (run.Steps > before)
        {
            Train("2. questions, on", run.Steps - before, lessons, 1e-3);
            stages.Add(($"questions, {run.Steps} steps", Answers()));
        }
        Llava.Save(model, plain, run.PathOf("model"));

        var table = new ReportTable(
            ["held out, after", "right", "number", "colour", "place"],
            [
                .. stages.Select(stage =>
                    (string[])
                        [
                            stage.Name,
                            Share(stage.Answers).ToString(),
                            .. ShapesTask.Kinds.Select(kind =>
                                Share([.. stage.Answers.Where(answer => ShapesTask.Kind(answer.Problem) == kind)]).ToString()
                            ),
                        ]
                ),
            ]
        );
        ConsoleTable.Print(table);
        run.Finish(
            run.Page(
                    "Pictures before a language model",
                    $"{scenes.Count} drawn pictures to learn from, {unseen.Count} held out; one question each."
                )
                .Table("Likeliest answers to questions about held-out pictures", table),
            stages.SelectMany(stage =>
                (KeyValuePair<string, object>[])
                    [
                        new($"accuracy_{stage.Name}", Share(stage.Answers).Value),
                        new($"accuracy_{stage.Name}_interval", Share(stage.Answers).Interval()),
                    ]
            )
        );

        void Train(string title, int steps, IReadOnlyList<Demonstration> data, double rate)
        {
            using var trainer = new SftTrainer(
                model,
                tokenizer,
                new SftOptions
                {
                    Steps = steps,
                    BatchSize = 64,
                    LearningRate = rate,
                    WarmupSteps = steps / 20,
                    Schedule = LearningRateSchedule.Cosine,
                    Seed = run.Seed,
                }
            );
            run.Train(title, steps, trainer.Run(data, cancellation: run.Cancellation), title.Replace(' ', '_'));
        }

        IReadOnlyList<PostTrain.Rewards.Completion> Answers(VisionLm? other = null)
        {
            var answers = Sampled.Completions(
                other ?? model,
                tokenizer,
                asked,
                new SamplingOptions { Temperature = 0, MaxNewTokens = 4 },
                0
            );
            Console.WriteLine($"held out: {Share(answers)} right");
            return answers;
        }

        static Proportion Share(IReadOnlyList<PostTrain.Rewards.Completion> answers) =>
            new(answers.Count(ShapesTask.IsRight), answers.Count);
    }
);
