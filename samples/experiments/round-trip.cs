#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Takes a checkpoint through the library and back: load, LoRA, train, save in PEFT's format, reload, merge, save in transformers' format,
// load again.
//   dotnet run -c Release samples/experiments/round-trip.cs [-- --model DIR --data FILE --steps N --output DIR]
using System.Diagnostics;
using System.Globalization;
using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Tool;
using PostTrain.Training.Reports;
using TorchSharp;
using static TorchSharp.torch;

var command = new SampleCommand(
    "round-trip",
    "Loads a model, trains an adapter, merges and saves it, and compares the logits of every stage.",
    steps: 50
);
var rank = command.Option("--rank", "Rank of the adapter.", 8, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "alpaca");
return await command.RunAsync(
    args,
    (run, values) =>
    {
        using var scope = NewDisposeScope();
        var stages = new List<string[]>();
        var watch = Stopwatch.StartNew();
        string folder = run.Model ?? Folders.StoryModel ?? Folders.ArithmeticBase;
        using var subject = Subject.Load(folder, isToy: folder == Folders.ArithmeticBase, run.Type, run.PaddingFree);
        var model = subject.Model;
        Stage("load the model", folder, null);
        var data =
            run.Data is not null || subject.IsToy
                ? TaskData.Load(run, subject, values.GetValue(template)!)
                : TaskData.Of(run, subject, Stories());
        var probe = data.HeldOut.Take(4).Select(example => subject.Tokenizer.Encode(example.Prompt + example.Completion)).ToArray();
        var original = Logits(model);

        watch.Restart();
        var options = new LoraOptions
        {
            Targets = ModuleSelection.AllLinear,
            Rank = values.GetValue(rank),
            Alpha = 2 * values.GetValue(rank),
            BaseModel = folder,
        };
        var adapters = AdaptedModel.Attach(model, options, seed: run.Seed);
        Stage(
            $"attach LoRA, {Format.Count(adapters.TrainableCount)} of {Format.Count(adapters.TotalCount)} parameters",
            null,
            Difference(Logits(model), original),
            "the base"
        );
        watch.Restart();
        IReadOnlyList<PostTrain.Training.StepReport> reports;
        using (
            var trainer = new SftTrainer(
                model,
                subject.Tokenizer,
                new SftOptions
                {
                    Steps = run.Steps,
                    BatchSize = 8,
                    MicroBatchSize = run.MicroBatch(data.Longest),
                    LearningRate = subject.Rate(5e-3),
                    Seed = run.Seed,
                }
            )
        )
            reports = run.Train("LoRA", run.Steps, trainer.Run(data.Train, cancellation: run.Cancellation));
        var trained = Logits(model);
        Stage(
            $"train {run.Steps} steps, loss {Format.Number(reports[0].Loss)} to {Format.Number(reports[^1].Loss)}",
            null,
            Difference(trained, original),
            "the base"
        );
        watch.Restart();
        adapters.Save(run.PathOf("adapter"));
        Stage("save the adapter in PEFT's format", run.PathOf("adapter"), null);

        watch.Restart();
        using var second = subject.Again();
        var reloaded = AdaptedModel.Load(second, run.PathOf("adapter"));
        double adapterDifference = Difference(Logits(second), trained);
        Stage("load model and adapter again", null, adapterDifference, "the trained one");
        watch.Restart();
        reloaded.MergeAndDispose();
        var merged = Logits(second);
        double mergeDifference = Difference(merged, trained);
        Stage("merge", null, mergeDifference, "the trained one");
        watch.Restart();
        subject.Save(second, run.PathOf("model"));
        Stage("save as a checkpoint", run.PathOf("model"), null);
        watch.Restart();
        using var third = Pretrained.Load(run.PathOf("model"));
        double checkpointDifference = Difference(Logits(third), merged);
        Stage("load the checkpoint", null, checkpointDifference, "the merged one");
        watch.Restart();
        adapters.Dispose();
        double baseDifference = Difference(Logits(model), original);
        Stage("remove the adapter", null, baseDifference, "the base");

        var table = new ReportTable(["stage", "time", "size", "largest |Δ logit|", "from"], stages);
        ConsoleTable.Print(table);
        bool same = adapterDifference == 0 && checkpointDifference == 0 && baseDifference == 0;
        Console.WriteLine(
            same
                ? "The saved files give bit-identical logits, and the base model is unchanged."
                : "The logits differ where they should be bit-identical."
        );
        run.Finish(
            run.Page("Round trip of a checkpoint", $"{folder}: load, LoRA, train, save, reload, merge, save as a checkpoint, load.")
                .Table("Stages", table)
                .Curves("Training", new CurveChart("Loss", "nats per token", CurveSeries.Of(reports, "loss"))),
            new Dictionary<string, object>
            {
                ["adapter_difference"] = adapterDifference,
                ["merge_difference"] = mergeDifference,
                ["checkpoint_difference"] = checkpointDifference,
                ["base_difference"] = baseDifference,
                ["logit_range"] = (trained.max() - trained.min()).ToDouble(),
                ["loss_first"] = reports[0].Loss,
                ["loss_last"] = reports[^1].Loss,
                ["adapter_bytes"] = Bytes(run.PathOf("adapter")),
                ["model_bytes"] = Bytes(run.PathOf("model")),
            }
        );
        if (!same)
            throw new InvalidDataException("the round trip is not exact");
        return Task.CompletedTask;

        void Stage(string what, string? files, double? difference, string from = "") =>
            stages.Add([
                what,
                Format.Seconds(watch.Elapsed),
                files is null ? "" : Format.Count(Bytes(files)) + " bytes",
                difference is { } value ? Format.Small(value) : "",
                from,
            ]);

        Tensor Logits(CausalLm asked)
        {
            using var mode = no_grad();
            using var inner = NewDisposeScope();
            asked.eval();
            return cat([.. probe.Select(ids => asked.forward(tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0)).squeeze(0))], 0)
                .MoveToOuterDisposeScope();
        }
    }
);

static double Difference(Tensor left, Tensor right)
{
    using var scope = NewDisposeScope();
    return (left - right).abs().max().ToDouble();
}

static long Bytes(string folder) => Directory.EnumerateFiles(folder).Sum(file => new FileInfo(file).Length);

// Endings for the story model to learn.
static IReadOnlyList<Demonstration> Stories()
{
    string[] names = ["Lily", "Tom", "Sara", "Ben", "Mia", "Tim", "Anna", "Max", "Sue", "Jack", "Lucy", "Sam"];
    string[] openings =
    [
        "Once upon a time, there was a child named {0}.",
        "One day, {0} went to the park.",
        "{0} had a new toy.",
        "{0} and a friend were in the garden.",
    ];
    return
    [
        .. openings.SelectMany(opening =>
            names.Select(name => new Demonstration(
                string.Format(CultureInfo.InvariantCulture, opening, name),
                $" {name} was very happy and smiled all day. The end."
            ))
        ),
    ];
}
