#:project support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// R1-Zero in miniature: GRPO from verifiable rewards alone, on the project's own base model, on a real one, or on a model and problems of
// yours.
//   dotnet run -c Release samples/r1-zero.cs [-- --model DIR --data FILE --steps N --seed N --output DIR]
// Records: question or prompt, and answer (of GSM8K's, what follows ####), and others: docs/data.md.
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Runtime;
using PostTrain.Samples.Support;
using PostTrain.Tool;
using PostTrain.Training;

var command = new SampleCommand(
    "r1-zero",
    "Improves a model by group-relative policy optimisation from a rule-based reward.",
    steps: 100,
    heldOut: 500
);
var batch = command.Option<int?>("--batch-size", "Prompts in a step; by default 32 of the toy, 8 of others.", null, OptionRange.AtLeast(1));
var group = command.Option("--group", "Completions of a prompt.", 8, OptionRange.AtLeast(1));
var rate = command.Option<double?>("--learning-rate", "By default what suits the model's width.", null, OptionRange.Positive);
var tokens = command.Option("--tokens", "Most tokens of a completion, with --data.", 128, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "r1-zero");
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        string source = run.Model ?? Folders.ArithmeticBase;
        var experiment = (run.Model, run.Data) switch
        {
            (null, null) => Experiments.Arithmetic(source, run.HeldOut, run.Seed, run.Type),
            (null, _) => throw new ArgumentException("--data is given without --model: the toy's tokenizer knows sums alone"),
            (_, null) => Experiments.Real(source, run.Seed, run.Type),
            _ => Experiments.Problems(run, source, values.GetValue(template)!, values.GetValue(tokens)),
        };
        using var reference = Pretrained.Load(source, run.Type);
        reference.PaddingFree = ((Decoder)experiment.Policy).PaddingFree = run.PaddingFree;
        var options = experiment.Options with
        {
            Steps = run.Steps,
            BatchSize = values.GetValue(batch) ?? experiment.Options.BatchSize,
            GroupSize = values.GetValue(group),
            LearningRate = values.GetValue(rate) ?? experiment.Options.LearningRate,
            CompletionObservers = [run.Completions],
        };
        Console.WriteLine($"{experiment.Title} · {EngineFacts.Describe()}");
        Console.WriteLine(experiment.Story);

        var before = HeldOut();
        IReadOnlyList<StepReport> reports;
        using (
            var trainer = new GrpoTrainer(
                experiment.Policy,
                experiment.Tokenizer,
                experiment.Reward,
                options with
                {
                    Reference = reference,
                }
            )
        )
            reports = await run.TrainAsync(experiment.Title, run.Steps, trainer.RunAsync(experiment.Train, cancellation: run.Cancellation));
        var outcome = new Outcome(experiment, options, before, HeldOut(), reports);
        new Subject(source, (Decoder)experiment.Policy, experiment.Tokenizer, run.Model is null).Save(
            experiment.Policy,
            run.PathOf("model")
        );
        outcome.Print(Console.Out);
        run.Finish(outcome.Page(run), outcome.Summary());

        IReadOnlyList<Completion> HeldOut() =>
            Sampled.Completions(experiment.Policy, experiment.Tokenizer, experiment.HeldOut, options.Sampling, run.Seed);
    }
);
