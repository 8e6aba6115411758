using PostTrain.Text.Files;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Merging;

/// <summary>The configuration of a merge by <see cref="ModelMerger"/>.</summary>
public sealed record MergeConfig
{
    /// <summary>The method.</summary>
    public required MergeMethod Method { get; init; }

    /// <summary>The models, all layers of each; or none, where there are <see cref="Slices"/>.</summary>
    public IReadOnlyList<MergeModel> Models { get; init; } = [];

    /// <summary>Slices that follow each other, for merges that take or order layers; or none.</summary>
    public IReadOnlyList<MergeSlice> Slices { get; init; } = [];

    /// <summary>Directory of the base model, the source of configuration and tokenizer. If it is one of the models, a method with a
    /// separate base does not merge it a second time. Null: the first model is the source.</summary>
    public string? Base { get; init; }

    /// <summary>Parameters of the whole merge.</summary>
    public MergeParameters Parameters { get; init; } = new();

    /// <summary>The rules for task vectors.</summary>
    /// <value>The default is mergekit's.</value>
    public Convention Convention { get; init; }

    /// <summary>The treatment of different tokenizers.</summary>
    /// <value>The default is to refuse them.</value>
    public VocabularyMerge Vocabulary { get; init; }

    /// <summary>Type of the written weights; null: that of the base (or first) model. The arithmetic is float32, or float64 where all
    /// models' tensors are.</summary>
    public ScalarType? Type { get; init; }

    /// <summary>Seed of random methods.</summary>
    /// <value>The default is 0.</value>
    public ulong Seed { get; init; }

    /// <summary>Reads a configuration of mergekit.</summary>
    /// <param name="path">A YAML file; paths of models in it are relative to its directory.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is not YAML, or has something that is not read; the message names the place, what is there
    /// and what was expected.</exception>
    public static MergeConfig Load(string path)
    {
        var text = BoundedFile.ReadText(path, Yaml.MergeYaml.MaximumBytes, "a merge configuration in YAML");
        return Yaml.MergeYaml.Read(text, path, Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>Reads a configuration of mergekit from a text.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="root">Directory to which paths of models are relative.</param>
    /// <inheritdoc cref="Load" path="/exception"/>
    public static MergeConfig Parse(string text, string root)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentException.ThrowIfNullOrEmpty(root);
        return Yaml.MergeYaml.Read(text, "the configuration", root);
    }

    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Method);
        if (Models.Count > 0 == Slices.Count > 0)
            throw new ArgumentException(
                $"there are {Models.Count} models and {Slices.Count} slices, expected the one or the other",
                nameof(Models)
            );
        if (Type is { } type && !is_floating_point(type))
            throw new ArgumentOutOfRangeException(nameof(Type), type, "Type must be a floating-point type");
        foreach (var slice in Slices)
        {
            if (slice.Models.Count == 0)
                throw new ArgumentException("a slice has no models, expected at least one", nameof(Slices));
            foreach (var model in slice.Models)
            {
                if (model.Layers is not { } layers || layers.Start < 0 || layers.End <= layers.Start)
                    throw new ArgumentException(
                        $"a slice takes the layers {model.Layers} of '{model.Directory}', expected a start of at least 0 and an end "
                            + "above it",
                        nameof(Slices)
                    );
                var (first, own) = (slice.Models[0].Layers!.Value, layers);
                if (first.End - first.Start != own.End - own.Start)
                    throw new ArgumentException(
                        $"a slice takes {own.End - own.Start} layers of '{model.Directory}' and {first.End - first.Start} of "
                            + $"'{slice.Models[0].Directory}', expected as many",
                        nameof(Slices)
                    );
            }
        }

        if (Models.FirstOrDefault(model => model.Layers is not null) is { } cut)
            throw new ArgumentException($"the model '{cut.Directory}' has Layers, which belong to slices", nameof(Models));
    }
}
