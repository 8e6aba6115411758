#:project support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Reinforced fine-tuning against supervised fine-tuning continued and offline self-training, from the same warm-up on the same questions,
// over paired seeds.
//   dotnet run -c Release samples/reft.cs [-- --seeds 5 --model DIR --data FILE --lora 8 --steps N --output DIR]
// First the claim in exact worlds, then on a small language model, both with their negative control; with --model and --data on the user's
// alone. Records: question and answer, or prompt and completion; what is learnt ends in the answer, as in "#### 72".
using PostTrain.Data.Records;
using PostTrain.Exact;
using PostTrain.Models;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Training;

var command = new SampleCommand(
    "reft",
    "Compares reinforced fine-tuning with supervised fine-tuning and self-training over paired seeds; --steps are PPO's.",
    steps: 40,
    heldOut: 500
);
var seeds = command.Option("--seeds", "Runs of everything, at least 2; an interval of less than 5 says little.", 5, OptionRange.AtLeast(2));
var worlds = command.Option("--worlds", "Exact worlds of each kind, at least 2.", 20, OptionRange.AtLeast(2));
var worldSteps = command.Option("--world-steps", "Steps of each method in a world.", 1500, OptionRange.AtLeast(1));
var baseSteps = command.Option("--base-steps", "Steps in which the toy's base model reads careless notes.", 1500, OptionRange.AtLeast(0));
var questions = command.Option("--questions", "The toy's questions to train on.", 128, OptionRange.AtLeast(1));
var warmupSteps = command.Option("--warmup-steps", "Steps of the supervised warm-up.", 20, OptionRange.AtLeast(1));
var batch = command.Option("--batch-size", "Questions in a step.", 64, OptionRange.AtLeast(1));
var group = command.Option("--group", "Completions of a question in a step of PPO.", 2, OptionRange.AtLeast(1));
var samples = command.Option("--samples", "Completions of a question that self-training chooses from.", 8, OptionRange.AtLeast(1));
var rate = command.Option("--learning-rate", "PPO's.", 1e-3, OptionRange.Positive);
var supervisedRate = command.Option(
    "--sft-learning-rate",
    "Of the warm-up, of SFT after it and of self-training.",
    5e-4,
    OptionRange.Positive
);
var kl = command.Option("--kl", "Weight of the divergence from the warm-up.", 0.05, OptionRange.AtLeast(0));
var tokens = command.Option<int?>("--tokens", "Most tokens of a completion; default 20, for records 128.", null, OptionRange.AtLeast(1));
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
                "Questions have several ways to their answer, and a demonstration shows one. From the same supervised warm-up on the same questions, with as many updates of as many completions: supervised "
                    + "fine-tuning continued, self-training on the policy's own right answers, and reinforced fine-tuning (PPO), which is paid 1 for a right answer, 0.1 for another number and 0 for none."
            )
            .Tiles(comparison.Table.Tiles)
            .Table($"A language model: held-out accuracy, {count} seeds", comparison.Table.Accuracies)
            .Table("Differences", comparison.Table.Differences)
            .Paragraph(RefinementTable.Reading);
        if (isToy)
            page.Paragraph(
                "Sums of three numbers, worked out in two steps. The base model has read careless notes, whose writer adds numbers of one digit rightly and guesses where a number of two digits is to be "
                    + "added. Six valid ways: any order of adding is right, and a demonstration shows one that is drawn for it. The negative control has one valid way: the numbers are added as they stand in all demonstrations, and "
                    + "nothing else is paid or counted, so that there is nothing to find and self-training keeps nothing.",
                "What is asked"
            );
        comparison.WriteTo(page);
        if (exact is not null)
            page.Table($"Exact worlds: held-out accuracy, {values.GetValue(worlds)} worlds of each kind, exact gradients", exact.Accuracies)
                .Table("Differences over the worlds", exact.Differences)
                .Paragraph(
                    "Each question is a vector, each way has a true score, the best 1 to k are valid and one of them is shown; a linear softmax policy, nothing sampled. Where one way is valid there is nothing to find."
                );
        run.Finish(page, (exact?.Summary ?? new Dictionary<string, object>()).Concat(comparison.Table.Summary).Append(new("seeds", count)));
    }
);

// The base model that all seeds begin with.
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
