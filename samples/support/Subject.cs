using PostTrain.Adapters;
using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Runtime;
using PostTrain.Text;
using PostTrain.Training;
using static TorchSharp.torch;

namespace PostTrain.Samples.Support;

/// <summary>The model of a sample: the user's with its tokenizer, or the project's own.</summary>
/// <param name="Folder">Its directory.</param>
/// <param name="Model">The model.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="IsToy">True for the project's own model, whose answers can be checked.</param>
public sealed record Subject(string Folder, Decoder Model, ITokenizer Tokenizer, bool IsToy) : IDisposable
{
    /// <summary>The model's name in a report.</summary>
    public string Name => IsToy ? ToyName : Folder;

    /// <summary>Name of the project's own model.</summary>
    public string ToyName { get; init; } = "the project's arithmetic model";

    /// <summary>Loads the user's model, or the project's own.</summary>
    public static Subject Load(SampleRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        string folder = run.Model ?? Folders.ArithmeticBase;
        if (run.Model is not null && run.Data is null)
            throw new ArgumentException("--model is given without --data: the generated data suit the project's own model only");
        Console.WriteLine($"{folder} · {EngineFacts.Describe()}");
        return Load(folder, isToy: run.Model is null, run.Type, run.PaddingFree);
    }

    /// <summary>Loads a model from a directory.</summary>
    /// <param name="folder">The directory.</param>
    /// <param name="isToy">True for the project's own model.</param>
    /// <param name="type">Type of the weights in memory; null for the stored type.</param>
    /// <param name="paddingFree">True to skip padding.</param>
    public static Subject Load(string folder, bool isToy, ScalarType? type = null, bool paddingFree = false)
    {
        var model = Pretrained.Load(folder, type);
        model.PaddingFree = paddingFree;
        return new Subject(folder, model, TokenizerFiles.Load(folder), isToy);
    }

    /// <summary>Returns a learning rate for the model's width if the user gives none: that of the project's own model, reduced in
    /// proportion to 1/width.</summary>
    /// <param name="atToy">The rate for the project's own model, which has width 64.</param>
    public double Rate(double atToy) => atToy * Math.Min(1, 64.0 / Model.HiddenSize);

    /// <summary>Returns sampling options: temperature 1, over the ids that the tokenizer knows.</summary>
    public SamplingOptions Sampling(int tokens) =>
        new() { MaxNewTokens = tokens, SuppressedTokens = Sampled.WithoutText(Model, Tokenizer) };

    /// <summary>Loads the same model again, untrained.</summary>
    public Decoder Again() => Again(Folder);

    /// <summary>Loads a model of another directory with the same type and padding options.</summary>
    public Decoder Again(string folder)
    {
        var model = Pretrained.Load(folder, Model.TokenEmbeddings.dtype);
        model.PaddingFree = Model.PaddingFree;
        return model;
    }

    /// <summary>Puts a LoRA adapter on all linear layers of the model; null for rank 0, which trains the whole model.</summary>
    public AdaptedModel? Adapted(int rank) =>
        rank == 0
            ? null
            : AdaptedModel.Attach(
                Model,
                new LoraOptions
                {
                    Targets = ModuleSelection.AllLinear,
                    Rank = rank,
                    Alpha = 2 * rank,
                    BaseModel = Folder,
                }
            );

    /// <summary>Saves the trained model as a run's <c>model</c>, and an adapter, which is merged into it, as <c>adapter</c>.</summary>
    public void Save(SampleRun run, AdaptedModel? adapters = null)
    {
        ArgumentNullException.ThrowIfNull(run);
        adapters?.Save(run.PathOf("adapter"));
        adapters?.MergeAndDispose();
        Save(Model, run.PathOf("model"));
    }

    /// <summary>Saves a model with this tokenizer, so that the folder is complete.</summary>
    public void Save(CausalLm model, string folder) => Pretrained.Save(model, Tokenizer, folder);

    /// <summary>Disposes the model.</summary>
    public void Dispose() => Model.Dispose();
}

/// <summary>The directories of the samples' models.</summary>
public static class Folders
{
    /// <summary>The base model of the arithmetic samples, made by <c>samples/experiments/arithmetic-base.cs</c>.</summary>
    public static string ArithmeticBase => Path.Combine(Samples, "models", "arithmetic-base");

    /// <summary>The story model in POSTTRAIN_MODELS (by default <c>../shared/models</c>); null if there is none.</summary>
    public static string? StoryModel
    {
        get
        {
            string models = Environment.GetEnvironmentVariable("POSTTRAIN_MODELS") is { Length: > 0 } named
                ? named
                : Path.Combine("..", "shared", "models");
            string folder = Path.Combine(models, "stories260K-hf");
            return Directory.Exists(folder) ? folder : null;
        }
    }

    // Where the program's file lies, or the folder above it: samples, and samples/experiments.
    private static string Samples
    {
        get
        {
            var folder = AppContext.GetData("EntryPointFileDirectoryPath") as string;
            while (folder is not null && !Directory.Exists(Path.Combine(folder, "models")))
                folder = Path.GetDirectoryName(folder);
            return folder ?? Path.GetFullPath("samples");
        }
    }
}
