using System.CommandLine;
using System.CommandLine.Parsing;
using PostTrain.Training;

namespace PostTrain.Tool;

/// <summary>A command that trains a model: what all of them can be told.</summary>
internal abstract class TrainingCommand : ToolCommand
{
    private static readonly string[] Templates = ["auto", "plain", "alpaca", "r1-zero", "chat"];

    protected TrainingCommand(string name, string description, TrainingDefaults defaults, Terminal terminal)
        : base(name, description, terminal)
    {
        Defaults = defaults;
        Model = PathOf("--model", "Directory of the model: a Hugging Face checkpoint with its tokenizer.", "DIR", required: true);
        Data = PathOf("--data", $"Records to learn from: {defaults.Records}.", "FILE", required: true);
        EvalData = PathOf("--eval-data", "Records to evaluate on; without it the last records of --data are held out.", "FILE");
        HeldOut = Of<int?>(
            "--held-out",
            "Last records of --data that are held out, a quarter at most [default: a tenth, 100 at most].",
            null,
            OptionRange.AtLeast(0)
        );
        Split = Of<string?>("--split", "Split of a directory that is read [default: train].", null, help: "NAME");
        SkipInvalid = Of("--skip-invalid", "Leave out records that lack fields, instead of refusing the file.", false);
        MaxLength = Of<int?>(
            "--max-length",
            "Tokens to which longer records are cut [default: records that do not fit the model are left out].",
            null,
            OptionRange.AtLeast(2)
        );
        Truncate = Choice("--truncate", "Side that --max-length cuts off.", "right", ["left", "right"]);
        Template = Of(
            "--template",
            $"How instructions become prompts: {string.Join(", ", Templates)}, or a format with {{instruction}} and {{input}}; auto is the "
                + "model's chat template, or plain where it has none.",
            "auto",
            help: "NAME"
        );
        Template.Validators.Add(result =>
        {
            if (
                result.GetValueOrDefault<string>() is { } given
                && !Templates.Contains(given)
                && !given.Contains("{instruction}", StringComparison.Ordinal)
            )
                result.AddError(
                    $"--template is '{given}', expected {string.Join(", ", Templates)}, or a format with {{instruction}}"
                        + NearestName.Hint(given, Templates)
                );
        });
        Output = Unrecorded<string?>("--output", $"Directory of the results [default: runs/{name}, or the next free number].", "DIR");
        Resume = Unrecorded<bool>("--resume", "Go on from the last checkpoint of --output, with the options of its run.yaml.");
        Overwrite = Unrecorded<bool>("--overwrite", "Replace the run in --output.");
        Steps = Of<int?>(
            "--steps",
            defaults.Epochs is { } epochs ? $"Training steps [default: {epochs:G} epochs]." : "Training steps [default: 100].",
            null,
            OptionRange.AtLeast(1)
        );
        Epochs = Of<double?>("--epochs", "Passes over the training records, instead of --steps.", null, OptionRange.Positive);
        BatchSize = Of("--batch-size", "Records in a step.", defaults.BatchSize, OptionRange.AtLeast(1));
        MicroBatchSize = Of<int?>(
            "--micro-batch-size",
            "Sequences that go through the model at once [default: some thousand tokens]; the gradient does not depend on it.",
            null,
            OptionRange.AtLeast(1)
        );
        LearningRate = Of<double?>(
            "--learning-rate",
            "Learning rate [default: a starting value for the model's width].",
            null,
            OptionRange.Positive
        );
        Schedule = Choice("--schedule", "Course of the learning rate after warm-up.", "cosine", ["constant", "linear", "cosine"]);
        WarmupSteps = Of<int?>("--warmup-steps", "Steps of warm-up [default: a tenth].", null, OptionRange.AtLeast(0));
        WeightDecay = Of("--weight-decay", "Weight decay of matrices.", 0.0, OptionRange.AtLeast(0));
        MaxGradNorm = Of("--max-grad-norm", "Largest norm of the gradient.", 1.0, OptionRange.Positive);
        EvaluateEvery = Of<int?>(
            "--evaluate-every",
            "Steps between evaluations [default: a tenth of the run].",
            null,
            OptionRange.AtLeast(1)
        );
        CheckpointEvery = Of<int?>(
            "--checkpoint-every",
            "Steps between checkpoints [default: a tenth of the run]; the last and the best are kept.",
            null,
            OptionRange.AtLeast(1)
        );
        Type = Choice(
            "--type",
            "Type of the weights; bfloat16 trains in mixed precision [default: the stored type].",
            null,
            ["float32", "bfloat16"]
        );
        PaddingFree = Of("--padding-free", "Skip the padding of batches.", false);
        Lora = Of<int?>("--lora", "Rank of a LoRA adapter; without it all weights are trained.", null, OptionRange.AtLeast(1));
        LoraAlpha = Of<double?>("--lora-alpha", "Scale of the adapter [default: twice the rank].", null, OptionRange.Positive);
        LoraDropout = Of("--lora-dropout", "Dropout before the adapter.", 0.0, OptionRange.Below(0, 1));
        TargetModules = Of<string[]>(
            "--target-modules",
            "Names of the adapted layers, such as q_proj [default: all linear layers].",
            [],
            help: "NAME"
        );
        TargetModules.AllowMultipleArgumentsPerToken = true;
        Quantize = Choice("--quantize", "Base of the adapter in few bits (QLoRA).", null, ["nf4", "fp4", "int8"]);
        Merge = Of("--merge", "Save the merged model too.", false);
        License = Of<string?>("--license", "Licence for the card of the model [default: what the base's card says].", null, help: "ID");
        Seed = Of("--seed", "Seed of all randomness.", 0UL);
        Validators.Add(result =>
        {
            try
            {
                Check(result);
            }
            catch (InvalidOperationException)
            {
                // A value that cannot be read has its own error.
            }
        });
    }

    internal TrainingDefaults Defaults { get; }
    internal Option<string?> Model { get; }
    internal Option<string?> Data { get; }
    internal Option<string?> EvalData { get; }
    internal Option<int?> HeldOut { get; }
    internal Option<string?> Split { get; }
    internal Option<bool> SkipInvalid { get; }
    internal Option<int?> MaxLength { get; }
    internal Option<string?> Truncate { get; }
    internal Option<string> Template { get; }
    internal Option<string?> Output { get; }
    internal Option<bool> Resume { get; }
    internal Option<bool> Overwrite { get; }
    internal Option<int?> Steps { get; }
    internal Option<double?> Epochs { get; }
    internal Option<int> BatchSize { get; }
    internal Option<int?> MicroBatchSize { get; }
    internal Option<double?> LearningRate { get; }
    internal Option<string?> Schedule { get; }
    internal Option<int?> WarmupSteps { get; }
    internal Option<double> WeightDecay { get; }
    internal Option<double> MaxGradNorm { get; }
    internal Option<int?> EvaluateEvery { get; }
    internal Option<int?> CheckpointEvery { get; }
    internal Option<string?> Type { get; }
    internal Option<bool> PaddingFree { get; }
    internal Option<int?> Lora { get; }
    internal Option<double?> LoraAlpha { get; }
    internal Option<double> LoraDropout { get; }
    internal Option<string[]> TargetModules { get; }
    internal Option<string?> Quantize { get; }
    internal Option<bool> Merge { get; }
    internal Option<string?> License { get; }
    internal Option<ulong> Seed { get; }

    // Options that exclude or need each other.
    private void Check(CommandResult result)
    {
        if (result.GetValue(Steps) is not null && result.GetValue(Epochs) is not null)
            result.AddError("--steps and --epochs are both given, expected one of them");
        if (result.GetValue(Merge) && result.GetValue(Quantize) is not null)
            result.AddError("--merge is given with --quantize: an adapter is merged into the base as it was, by posttrain merge-adapter");
        if (result.GetValue(Lora) is not null)
            return;
        foreach (
            var (name, isGiven) in new[]
            {
                ("--lora-alpha", result.GetValue(LoraAlpha) is not null),
                ("--target-modules", result.GetValue(TargetModules) is { Length: > 0 }),
                ("--quantize", result.GetValue(Quantize) is not null),
                ("--merge", result.GetValue(Merge)),
            }
        )
            if (isGiven)
                result.AddError($"{name} is given without --lora, expected the rank of an adapter");
    }

    /// <summary>The file of options: the one that is named, or that of the run that goes on.</summary>
    internal override string? FileOf(ParseResult given) =>
        given.GetValue(Config)
        ?? (
            given.GetValue(Resume)
            && given.GetValue(Output) is { } output
            && Path.Combine(output, RunFile.Name) is var path
            && File.Exists(path)
                ? path
                : null
        );

    protected abstract Task TrainAsync(TrainingRun run, ParseResult values);

    protected sealed override async Task RunAsync(ParseResult values, CancellationToken stop)
    {
        using var run = new TrainingRun(this, values, Terminal, stop);
        try
        {
            await TrainAsync(run, values).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            run.SayHowToGoOn();
            throw;
        }
    }

    internal static LearningRateSchedule ScheduleOf(string name) =>
        name switch
        {
            "constant" => LearningRateSchedule.Constant,
            "linear" => LearningRateSchedule.Linear,
            _ => LearningRateSchedule.Cosine,
        };
}
