using PostTrain.Models;
using PostTrain.Rollouts;
using PostTrain.Runtime;
using PostTrain.Text;
using PostTrain.Training;
using static TorchSharp.torch;

namespace PostTrain.Samples.Support;

/// <summary>What a sample trains: the user's model with its tokenizer, or the project's toy.</summary>
/// <param name="Folder">Where it was loaded from.</param>
/// <param name="Model">The model.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="IsToy">Whether it is the toy, whose answers can be checked.</param>
public sealed record Subject(string Folder, Decoder Model, ITokenizer Tokenizer, bool IsToy) : IDisposable
{
    /// <summary>The model's name in a report.</summary>
    public string Name => IsToy ? "the project's arithmetic model" : Folder;

    /// <summary>Loads the model that the user named, or the toy.</summary>
    public static Subject Load(SampleRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        string folder = run.Model ?? Folders.ArithmeticBase;
        if (run.Model is not null && run.Data is null)
            throw new ArgumentException("--model is given without --data: the toy's data are for the toy");
        Console.WriteLine($"{folder} · {EngineFacts.Describe()}");
        return Load(folder, isToy: run.Model is null, run.Type, run.PaddingFree);
    }

    /// <summary>Loads a model from a directory.</summary>
    /// <param name="folder">The directory.</param>
    /// <param name="isToy">Whether it is the toy.</param>
    /// <param name="type">Of the weights in memory; null takes the stored one.</param>
    /// <param name="paddingFree">Whether passes leave padding out.</param>
    public static Subject Load(string folder, bool isToy, ScalarType? type = null, bool paddingFree = false)
    {
        var model = Pretrained.Load(folder, type);
        model.PaddingFree = paddingFree;
        return new Subject(folder, model, TokenizerFiles.Load(folder), isToy);
    }

    /// <summary>A learning rate that suits the model's width, where the user names none: the toy's, and less in wider models in proportion
    /// to 1/width.</summary>
    /// <param name="atToy">What suits the toy, which is 64 wide.</param>
    public double Rate(double atToy) => atToy * Math.Min(1, 64.0 / Model.HiddenSize);

    /// <summary>How completions are drawn: at temperature 1, of ids that the tokenizer knows.</summary>
    public SamplingOptions Sampling(int tokens) =>
        new() { MaxNewTokens = tokens, SuppressedTokens = Sampled.WithoutText(Model, Tokenizer) };

    /// <summary>The same model once more, as it was.</summary>
    public Decoder Again() => Again(Folder);

    /// <summary>A model of another directory, loaded as this one was: in the same type, with or without padding.</summary>
    public Decoder Again(string folder)
    {
        var model = Pretrained.Load(folder, Model.TokenEmbeddings.dtype);
        model.PaddingFree = Model.PaddingFree;
        return model;
    }

    /// <summary>Saves a model with the tokenizer of this one, so that the folder is a model of its own.</summary>
    public void Save(CausalLm model, string folder) => Pretrained.Save(model, Tokenizer, folder);

    /// <summary>Disposes the model.</summary>
    public void Dispose() => Model.Dispose();
}
