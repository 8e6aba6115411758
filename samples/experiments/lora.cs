#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Compares weight adapters: the same model, data, order of data and number of steps for each.
//   dotnet run -c Release samples/experiments/lora.cs [-- --model DIR --data FILE --steps N --rank N --output DIR]
using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Samples.Support;
using PostTrain.Text;
using PostTrain.Tool;
using TorchSharp;

var command = new SampleCommand("lora", "Compares weight adapters with each other and with full fine-tuning.", steps: 60);
var rank = command.Option("--rank", "Rank of the low-rank methods.", 8, OptionRange.AtLeast(1));
var batch = command.Option("--batch-size", "Examples per step.", 32, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "alpaca");
return await command.RunAsync(
    args,
    (run, values) =>
    {
        using var subject = Subject.Load(run);
        var data = TaskData.Load(run, subject, values.GetValue(template)!);
        int r = values.GetValue(rank);
        var lora = new LoraOptions
        {
            Targets = ModuleSelection.AllLinear,
            Rank = r,
            Alpha = 2 * r,
        };
        Contender[] contenders =
        [
            new("full", subject.Rate(1e-3), (model, tokenizer) => new Tuning(model, tokenizer)),
            With("LoRA", 5e-3, lora),
            With("rsLoRA", 2e-3, lora with { RankStabilized = true }),
            With("DoRA", 5e-3, lora with { WeightDecomposed = true }),
            With("PiSSA", 2e-3, lora with { Initialization = LoraInitialization.Pissa }),
            With("OLoRA", 2e-3, lora with { Initialization = LoraInitialization.Olora }),
            With("VeRA", 2e-2, new VeraOptions { Targets = ModuleSelection.AllLinear, Rank = 64 }),
            With(
                "LoHa",
                5e-3,
                new LohaOptions
                {
                    Targets = ModuleSelection.AllLinear,
                    Rank = r,
                    Alpha = 2 * r,
                }
            ),
            With(
                "LoKr",
                5e-3,
                new LokrOptions
                {
                    Targets = ModuleSelection.AllLinear,
                    Rank = r,
                    Alpha = 2 * r,
                }
            ),
            With("IA3", 2e-2, new Ia3Options { Targets = ModuleSelection.AllLinear }),
            With("LN tuning", 1e-2, new NormTuningOptions()),
        ];
        var results = SideBySide.Run(run, subject, data, contenders, values.GetValue(batch));
        SideBySide.Conclude(
            run,
            subject,
            "Comparison of weight adapters",
            $"Each method trains a fresh copy of {subject.Name} on the same {data.Train.Count} examples. The loss is a mean over "
                + $"{data.HeldOut.Count} held-out examples.",
            results,
            "LoRA"
        );
        return Task.CompletedTask;

        // The rates suit the samples' own model; wider models get lower rates.
        Contender With(string name, double learningRate, AdapterOptions options) =>
            new(name, subject.Rate(learningRate), (model, tokenizer) => new Tuning(model, tokenizer, AdaptedModel.Attach(model, options)));
    }
);
