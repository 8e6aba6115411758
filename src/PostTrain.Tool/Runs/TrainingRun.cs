using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using PostTrain.Adapters;
using PostTrain.Compression.Quantization;
using PostTrain.Data.Batches;
using PostTrain.Data.Records;
using PostTrain.Models;
using PostTrain.Text;
using PostTrain.Training;
using static TorchSharp.torch;

namespace PostTrain.Tool;

/// <summary>A run of a training command, from its options to its results.</summary>
internal sealed partial class TrainingRun : IDisposable
{
    private const int TokensAtOnce = 4096,
        MostHeldOut = 100;
    private readonly TrainingCommand command;
    private readonly ParseResult values;
    private readonly Terminal terminal;
    private readonly OutputFolder folder;
    private readonly RunLogs logs;
    private readonly Stopwatch watch = Stopwatch.StartNew();
    private readonly Dictionary<string, string> derived = [];
    private readonly string? checkpoint;
    private bool hasBegun;

    internal TrainingRun(TrainingCommand command, ParseResult values, Terminal terminal, CancellationToken stop)
    {
        (this.command, this.values, this.terminal, Stop) = (command, values, terminal, stop);
        folder = OutputFolder.Choose(
            command.Name,
            values.GetValue(command.Output),
            values.GetValue(command.Resume),
            values.GetValue(command.Overwrite)
        );
        checkpoint = folder.Checkpoint;
        logs = new RunLogs(folder, () => checkpoint is null ? null : Checkpoint.ReadState(checkpoint).Step);
    }

    internal CancellationToken Stop { get; }

    internal ulong Seed => values.GetValue(command.Seed);

    internal int Steps { get; private set; }

    /// <summary>Steps between evaluations.</summary>
    internal int EvaluateEvery { get; private set; }

    // Set by the reading of the records.
    private SequenceTruncation? Cut { get; set; }

    private string ModelFolder => values.GetValue(command.Model)!;

    private string DataPath => values.GetValue(command.Data)!;

    /// <summary>Loads a model of the user's, with a new adapter where one is asked for.</summary>
    internal LoadedModel LoadModel()
    {
        var model = Load(ModelFolder, "the model");
        var tokenizer = TokenizerFiles.Load(ModelFolder);
        if (values.GetValue(command.Lora) is not { } rank)
            return new LoadedModel(ModelFolder, model, tokenizer, null);
        if (values.GetValue(command.Quantize) is { } form)
            terminal.Do($"quantizing the base to {form}", () => ModelQuantization.Apply(model, QuantizerOf(form)));
        var targets = values.GetValue(command.TargetModules);
        var lora = new LoraOptions
        {
            Rank = rank,
            Alpha = Derive(command.LoraAlpha, values.GetValue(command.LoraAlpha) ?? 2 * rank),
            Dropout = values.GetValue(command.LoraDropout),
            Targets = targets is { Length: > 0 } ? ModuleSelection.Named(targets) : ModuleSelection.AllLinear,
            BaseModel = ModelFolder,
        };
        return new LoadedModel(ModelFolder, model, tokenizer, AdaptedModel.Attach(model, lora, seed: Seed));
    }

    /// <summary>Loads another model with the same type and padding.</summary>
    internal Decoder Load(string directory, string what)
    {
        if (!Directory.Exists(directory))
            throw new DirectoryNotFoundException($"There is no directory '{directory}'; docs/get-a-model.md says how to get a model");
        var model = terminal.Do($"loading {what} of {directory}", () => Pretrained.Load(directory, TypeOf(values.GetValue(command.Type))));
        model.PaddingFree = values.GetValue(command.PaddingFree);
        return model;
    }

    /// <summary>Reads the records that fit the model, and splits off those that are held out.</summary>
    /// <param name="model">The model.</param>
    /// <param name="read">Reads a file or directory with a template.</param>
    /// <param name="texts">The texts of a record, each of which must fit.</param>
    /// <param name="reserve">Positions of the context that completions need.</param>
    /// <param name="learnt">Part of a conversation that is learnt.</param>
    internal RunData<T> Read<T>(
        LoadedModel model,
        Func<string, InstructionTemplate, RecordOptions, RecordSet<T>> read,
        Func<T, IEnumerable<MarkedText>> texts,
        int reserve = 0,
        LearntPart learnt = LearntPart.Assistant
    )
    {
        int fitting = model.Model.ContextLength - reserve;
        Cut = values.GetValue(command.MaxLength) is { } most
            ? new SequenceTruncation
            {
                MaximumTokens = Math.Max(2, Math.Min(most, fitting)),
                Side = values.GetValue(command.Truncate) == "left" ? TruncationSide.Left : TruncationSide.Right,
            }
            : null;
        var template = UserData.Template(values.GetValue(command.Template)!, ModelFolder);
        var all = Fitting(DataPath);
        RunData<T> data;
        if (values.GetValue(command.EvalData) is { } file)
        {
            var others = Fitting(file);
            data = new RunData<T>(all.Items, others.Items, Math.Max(all.Longest, others.Longest) + reserve);
        }
        else
        {
            int wanted = values.GetValue(command.HeldOut) ?? Math.Min(MostHeldOut, all.Items.Count / 10);
            int count = Derive(command.HeldOut, Math.Min(wanted, all.Items.Count / 4));
            data = new RunData<T>([.. all.Items.SkipLast(count)], [.. all.Items.TakeLast(count)], all.Longest + reserve);
        }
        terminal.Line($"{data.Train.Count} training records, {data.HeldOut.Count} held out, up to {data.Longest} tokens");
        return data;

        Fitted<T> Fitting(string path)
        {
            var options = new RecordOptions
            {
                Split = values.GetValue(command.Split),
                SkipsInvalid = values.GetValue(command.SkipInvalid),
                Learnt = learnt,
            };
            var records = terminal.Do($"reading {path}", () => read(path, template, options));
            foreach (var note in records.Notes)
                terminal.Line($"  {note}");
            var kept = terminal.Do(
                $"counting tokens of {records.Count} records",
                () => UserData.Fitting(records, model.Tokenizer, Cut is null ? fitting : int.MaxValue, texts, terminal.Output)
            );
            return Cut is { MaximumTokens: { } limit } ? kept with { Longest = Math.Min(kept.Longest, limit) } : kept;
        }
    }

    /// <summary>Sets what all trainers can be told.</summary>
    /// <param name="options">The trainer's own.</param>
    /// <param name="model">The model.</param>
    /// <param name="records">Training records.</param>
    /// <param name="longest">Tokens of the longest sequence.</param>
    /// <param name="sequences">Sequences of a record.</param>
    internal T Options<T>(T options, LoadedModel model, int records, int longest, int sequences = 1)
        where T : TrainingOptions
    {
        int batch = values.GetValue(command.BatchSize);
        double? epochs = values.GetValue(command.Epochs) ?? command.Defaults.Epochs;
        Steps = Derive(
            command.Steps,
            values.GetValue(command.Steps)
                ?? (
                    values.GetValue(command.Epochs) is null && command.Defaults.Epochs is null
                        ? 100
                        : (int)Math.Clamp(Math.Ceiling(epochs!.Value * records / batch), 1, int.MaxValue)
                )
        );
        double width = Math.Min(1, 64.0 / model.Model.HiddenSize) * (model.Adapters is null ? 1 : 5);
        int tenth = Math.Max(1, Steps / 10);
        logs.CompletionsEvery = tenth;
        EvaluateEvery = Derive(command.EvaluateEvery, values.GetValue(command.EvaluateEvery) ?? tenth);
        return (T)(
            (TrainingOptions)options with
            {
                Steps = Steps,
                BatchSize = batch,
                MicroBatchSize = Derive(
                    command.MicroBatchSize,
                    values.GetValue(command.MicroBatchSize) ?? Math.Max(1, TokensAtOnce / Math.Max(1, longest * sequences))
                ),
                LearningRate = Derive(command.LearningRate, values.GetValue(command.LearningRate) ?? command.Defaults.Rate * width),
                Schedule = TrainingCommand.ScheduleOf(values.GetValue(command.Schedule)!),
                WarmupSteps = Derive(command.WarmupSteps, values.GetValue(command.WarmupSteps) ?? Steps / 10),
                WeightDecay = values.GetValue(command.WeightDecay),
                MaxGradNorm = values.GetValue(command.MaxGradNorm),
                Evaluation = options.Evaluation with { Every = EvaluateEvery },
                CheckpointDirectory = folder.CheckpointFolder,
                CheckpointEvery = Derive(command.CheckpointEvery, values.GetValue(command.CheckpointEvery) ?? tenth),
                KeepCheckpoints = 1,
                Truncation = Cut,
                Seed = Seed,
                Observers = [logs],
            }
        );
    }

    /// <summary>Observer of completions.</summary>
    internal IProgress<CompletionReport> CompletionLog => logs;

    /// <summary>Says where the results are and how to go on, after a stop.</summary>
    internal void SayHowToGoOn() =>
        terminal.Error(
            hasBegun
                ? $"stopped after step {LastStep()}; go on with: posttrain {command.Name} --resume --output {folder.Path}"
                : "stopped before the first step; nothing was written"
        );

    public void Dispose() => logs.Dispose();

    private long LastStep() => Checkpoint.Latest(folder.CheckpointFolder) is { } latest ? Checkpoint.ReadState(latest).Step : 0;

    /// <summary>Keeps a value that stands for an option that was not given, for <c>run.yaml</c>.</summary>
    private T Derive<T, TOption>(Option<TOption> option, T value)
        where T : IFormattable
    {
        derived[option.Name.TrimStart('-')] = value is double number
            ? number.ToString("R", CultureInfo.InvariantCulture)
            : value.ToString(null, CultureInfo.InvariantCulture);
        return value;
    }

    /// <summary>The options of the run: given, derived and defaults.</summary>
    private IEnumerable<KeyValuePair<string, IReadOnlyList<string>>> Settings()
    {
        var given = command.Settings(values).Where(setting => setting.Key != "epochs").ToDictionary();
        foreach (var (name, value) in derived)
            given.TryAdd(name, [value]);
        return command
            .Options.Select(option => option.Name.TrimStart('-'))
            .Where(given.ContainsKey)
            .Select(name => KeyValuePair.Create(name, given[name]));
    }

    private static IQuantizer QuantizerOf(string form) =>
        form switch
        {
            "nf4" => Quantizer.Nf4(),
            "fp4" => Quantizer.Fp4(),
            _ => Quantizer.Int8Rows(),
        };

    internal static ScalarType? TypeOf(string? name) =>
        name switch
        {
            "float32" => ScalarType.Float32,
            "bfloat16" => ScalarType.BFloat16,
            _ => null,
        };
}
