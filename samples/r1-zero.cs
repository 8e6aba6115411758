#:project support/PostTrain.Samples.Support.csproj
#:package System.CommandLine
#:property PublishAot=false
// R1-Zero in miniature: GRPO from verifiable rewards alone, on the project's own base model or on a real one.
//   dotnet run -c Release samples/r1-zero.cs [-- --model DIR --steps N --seed N --output DIR]
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Samples.Support;
using PostTrain.Training;
using PostTrain.Training.Reports;

var model = new Option<string?>("--model") { Description = "Directory of a real pretrained model; without it, the project's own base model." };
var output = new Option<string>("--output") { Description = "Where the report goes.", DefaultValueFactory = _ => Path.Combine("artifacts", "r1-zero") };
var steps = new Option<int?>("--steps") { Description = "Training steps." };
var seed = new Option<ulong>("--seed") { Description = "Where all randomness comes from.", DefaultValueFactory = _ => 0 };
var command = new RootCommand("Improves a model by group-relative policy optimisation from a rule-based reward.") { model, output, steps, seed };
command.SetAction((arguments, cancellation) => RunAsync(
    arguments.GetValue(model), arguments.GetValue(output)!, arguments.GetValue(steps), arguments.GetValue(seed), cancellation));
return await command.Parse(args).InvokeAsync();

static async Task<int> RunAsync(string? modelDirectory, string output, int? steps, ulong seed, CancellationToken cancellation)
{
    var watch = Stopwatch.StartNew();
    Directory.CreateDirectory(output);
    string source = modelDirectory ?? Folders.ArithmeticBase;
    var experiment = modelDirectory is null ? Experiments.Arithmetic(source, seed) : Experiments.Real(source, seed);
    using var reference = Pretrained.Load(source);
    using var metrics = MetricsLog.Open(Path.Combine(output, "metrics.jsonl"));
    var options = experiment.Options with { Steps = steps ?? experiment.Options.Steps, Observers = [metrics] };
    Console.WriteLine($"{experiment.Title} · {EngineFacts.Describe()}");
    Console.WriteLine(experiment.Story);

    var before = HeldOut(experiment, seed);
    var reports = new List<StepReport>();
    using (var trainer = new GrpoTrainer(experiment.Policy, experiment.Tokenizer, experiment.Reward, options, reference))
    using (var display = new TrainingDisplay(experiment.Title, options.Steps))
        await foreach (var report in trainer.RunAsync(experiment.Train, cancellation: cancellation))
        {
            reports.Add(report);
            display.Report(report);
        }

    var after = HeldOut(experiment, seed);
    var outcome = new Outcome(experiment, options, before, after, reports, watch.Elapsed);
    outcome.Print(Console.Out);
    outcome.Save(output);
    Pretrained.Save(experiment.Policy, Path.Combine(output, "model"));
    Console.WriteLine($"written: {Path.Combine(output, "report.html")}, summary.json, metrics.jsonl, model/");
    return 0;
}

static IReadOnlyList<Completion> HeldOut(Experiment experiment, ulong seed) =>
    Sampled.Completions(experiment.Policy, experiment.Tokenizer, experiment.HeldOut, experiment.Options.Sampling, seed);
