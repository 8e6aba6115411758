#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Compares reinforced fine-tuning with continued supervised fine-tuning and offline self-training, from the same warm-up on the same
// questions, over paired seeds.
//   dotnet run -c Release samples/experiments/reft.cs [-- --seeds 5 --model DIR --data FILE --lora 8 --steps N --output DIR]
// Tests the claim on exact problems, then on a small language model, both with a negative control; with --model and --data only on your
// model. Records: question and answer, or prompt and completion; the completion ends with the answer, as in "#### 72".
using PostTrain.Data.Records;
using PostTrain.Exact;
using PostTrain.Models;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;

var command = new SampleCommand(
    "reft",
    "Compares reinforced fine-tuning with supervised fine-tuning and self-training over paired seeds; --steps are PPO's.",
    steps: 40,
    heldOut: 500
);
var seeds = command.Option("--seeds", "Number of seeds, at least 2; with fewer than 5 the intervals are wide.", 5, OptionRange.AtLeast(2));
var worlds = command.Option("--worlds", "Exact problems of each kind, at least 2.", 20, OptionRange.AtLeast(2));
var worldSteps = command.Option("--world-steps", "Steps of each method on an exact problem.", 1500, OptionRange.AtLeast(1));
var baseSteps = command.Option("--base-steps", "Steps of training the base model on careless notes.", 1500, OptionRange.AtLeast(0));
var questions = command.Option("--questions", "Training questions, without --data.", 128, OptionRange.AtLeast(1));
var warmupSteps = command.Option("--warmup-steps", "Steps of the supervised warm-up.", 20, OptionRange.AtLeast(1));
var batch = command.Option("--batch-size", "Questions per step.", 64, OptionRange.AtLeast(1));
var group = command.Option("--group", "Completions per question in a step of PPO.", 2, OptionRange.AtLeast(1));
var samples = command.Option("--samples", "Completions per question that self-training selects from.", 8, OptionRange.AtLeast(1));
var rate = command.Option("--learning-rate", "PPO's.", 1e-3, OptionRange.Positive);
var supervisedRate = command.Option(
    "--sft-learning-rate",
    "Learning rate of the warm-up, of continued SFT and of self-training.",
    5e-4,
    OptionRange.Positive
);
var kl = command.Option("--kl", "Weight of the KL divergence from the warm-up.", 0.05, OptionRange.AtLeast(0));
var tokens = command.Option<int?>("--tokens", "Maximum completion length; default 20, with --data 128.", null, OptionRange.AtLeast(1));
var rank = command.Option("--lora", "Rank of a LoRA adapter, for records; 0 trains the whole model.", 0, OptionRange.AtLeast(0));
var template = command.Option("--template", UserData.TemplateHelp, "plain");
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        bool isToy = run.Model is null && run.Data is null;
        var settings = new RefinementSettings
        {
            WarmupSteps = values.GetValue(warmupSteps),
            Steps = run.Steps,
            BatchSize = values.GetValue(batch),
            GroupSize = values.GetValue(group),
            SupervisedRate = values.GetValue(supervisedRate),
            Rate = values.GetValue(rate),
            Kl = values.GetValue(kl),
            Samples = values.GetValue(samples),
            Tokens = values.GetValue(tokens) ?? (isToy ? 20 : 128),
        };
        int count = values.GetValue(seeds);
        var comparison = new RefinementComparison();
        RefinementTable? exact = null;
        if (isToy)
        {
            exact = StrategyWorlds.Run(run, values.GetValue(worlds), new StrategyOptions { Steps = values.GetValue(worldSteps) });
            exact.Print();
            string folder = ReadNotes(run, values.GetValue(baseSteps));
            foreach (bool control in (bool[])[false, true])
                await comparison.AddAsync(
                    run,
                    RefinementTask.Chains(folder, control, values.GetValue(questions), run.HeldOut),
                    settings,
                    count
                );
        }
        else
        {
            using var subject = Subject.Load(run);
            var records = UserData
                .Fitting(
                    RecordReader.Demonstrations(run.Data!, UserData.Template(values.GetValue(template)!, subject.Folder)),
                    subject.Tokenizer,
                    subject.Model.ContextLength - 1,
                    record => [record.Prompt + record.Completion]
                )
                .Items;
            var (train, heldOut) = UserData
                .Fitting(records, subject.Tokenizer, subject.Model.ContextLength - settings.Tokens, record => [record.Prompt])
                .Split(run.HeldOut);
            await comparison.AddAsync(run, RefinementTask.Records(subject, train, heldOut, values.GetValue(rank)), settings, count);
        }

        comparison.Table.Print();
        Console.WriteLine(RefinementTable.Reading);
        var page = run.Page(
                "Reinforced fine-tuning",
                "Questions have several valid ways to their answer, and a demonstration shows one. Three methods start from the "
                    + "same supervised "
                    + "warm-up on the same questions, with as many updates of as many completions: continued supervised fine-tuning, "
                    + "self-training on the "
                    + "policy's own correct answers, and reinforced fine-tuning (PPO) with reward 1 for a correct answer, 0.1 for "
                    + "another number, 0 for none."
            )
            .Tiles(comparison.Table.Tiles)
            .Table($"A language model: held-out accuracy, {count} seeds", comparison.Table.Accuracies)
            .Table("Differences", comparison.Table.Differences)
            .Paragraph(RefinementTable.Reading);
        if (isToy)
            page.Paragraph(
                "Sums of three numbers, computed in two steps. The base model was trained on careless notes, whose writer adds "
                    + "one-digit numbers "
                    + "correctly and guesses if a two-digit number is added. Six ways are valid: any order of adding is correct, and "
                    + "each demonstration "
                    + "shows one at random. In the negative control one way is valid: all demonstrations add the numbers in the given "
                    + "order, and nothing "
                    + "else is rewarded, so there is nothing to discover and self-training keeps nothing.",
                "The task"
            );
        comparison.WriteTo(page);
        if (exact is not null)
            page.Table($"Exact worlds: held-out accuracy, {values.GetValue(worlds)} worlds of each kind, exact gradients", exact.Accuracies)
                .Table("Differences over the worlds", exact.Differences)
                .Paragraph(
                    "Each question is a vector, and each way has a true score. The best 1 to k ways are valid and one of them is "
                        + "demonstrated. The policy is a "
                        + "linear softmax; training uses exact gradients. If one way is valid, there is nothing to discover."
                );
        run.Finish(page, (exact?.Summary ?? new Dictionary<string, object>()).Concat(comparison.Table.Summary).Append(new("seeds", count)));
    }
);

// Trains the base model that all seeds start from.
static string ReadNotes(SampleRun run, int steps)
{
    string folder = run.PathOf("base");
    using var model = ChainTask.Model(seed: 1);
    using var trainer = new SftTrainer(
        model,
        ChainTask.Tokenizer(),
        new SftOptions
        {
            Steps = steps,
            BatchSize = 64,
            LearningRate = 3e-3,
            WarmupSteps = steps / 30,
            Schedule = LearningRateSchedule.Cosine,
        }
    );
    run.Train(
        "base model on careless notes",
        steps,
        trainer.Run(ChainTask.Notes(100_000, seed: 1), cancellation: run.Cancellation),
        "base"
    );
    Pretrained.Save(model, folder);
    return folder;
}
