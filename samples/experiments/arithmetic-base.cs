#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Trains the base model of the reinforcement-learning samples on careless notes, and saves it.
//   dotnet run -c Release samples/experiments/arithmetic-base.cs [steps] [directory]
using System.Globalization;
using PostTrain.Models;
using PostTrain.Runtime;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training;

int steps = args.Length > 0 ? int.Parse(args[0], CultureInfo.InvariantCulture) : 5000;
string directory = args.Length > 1 ? args[1] : Folders.ArithmeticBase;

var tokenizer = ArithmeticTask.Tokenizer();
var model = Decoder.Create(SmallDecoder.Of(tokenizer, context: 64) with { Layers = 3 }, seed: 1);
Console.WriteLine($"{model.parameters().Sum(p => p.numel()):N0} parameters, {EngineFacts.Describe()}");

using var trainer = new SftTrainer(
    model,
    tokenizer,
    new SftOptions
    {
        Steps = steps,
        BatchSize = 64,
        LearningRate = 2e-3,
        WarmupSteps = 100,
        Schedule = LearningRateSchedule.Cosine,
        Seed = 1,
    }
);
using (var display = new TrainingDisplay("base model", steps, plainEvery: 200))
    foreach (var report in trainer.Run(ArithmeticTask.Notes(100_000, seed: 1)))
        display.Report(report);

Pretrained.Save(model, directory);
tokenizer.Save(directory);

var problems = ArithmeticTask.Problems(500, heldOut: true, seed: 0);
var experiment = Experiments.Arithmetic(directory, heldOut: 2, seed: 0);
foreach (double temperature in (double[])[1, 0])
{
    var sampling = experiment.Options.Sampling with { Temperature = temperature };
    var completions = Sampled.Completions(model, tokenizer, problems, sampling, seed: 1);
    Console.WriteLine(
        $"temperature {temperature}: {completions.Count(experiment.Succeeds)} of {completions.Count} right, "
            + $"{completions.Average(c => c.Tokens.Length):F1} tokens"
    );
    foreach (var completion in completions.Take(5))
        Console.WriteLine($"  {completion.Problem.Prompt} {completion.Text}");
}
