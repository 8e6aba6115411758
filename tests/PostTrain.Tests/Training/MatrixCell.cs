using PostTrain.Adapters;
using PostTrain.Adapters.Layers;
using PostTrain.Adapters.Prompts;
using PostTrain.Compression.Quantization;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Models.HuggingFace;
using PostTrain.Supervised;
using PostTrain.Tests.Models;
using PostTrain.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training;

/// <summary>A small model of some architecture with some of its parameters trained, and the frozen models next to it.</summary>
internal sealed class MatrixCell : IDisposable
{
    /// <summary>The architecture that every parameterisation is tried on.</summary>
    internal const string Plain = "llama";

    /// <summary>The same in bfloat16, trained through float32 copies.</summary>
    internal const string Mixed = "llama in bfloat16";

    private const string Module = "module";

    private readonly string architecture;
    private readonly List<IDisposable> parts;
    private readonly List<(CausalLm Model, Dictionary<string, byte[]> Bytes)> frozen = [];

    private MatrixCell(string architecture, CausalLm body, CausalLm model, SequenceClassifier? classifier, List<IDisposable> parts)
    {
        (this.architecture, Model, Classifier, this.parts) = (architecture, model, classifier, parts);
        Remember(body);
    }

    /// <summary>Every other architecture that checkpoints are read of, and a module of one's own.</summary>
    internal static IReadOnlyList<string> Others { get; } = [.. Architectures.ModelTypes.Where(type => type != Plain), Module];

    internal CausalLm Model { get; }

    internal SequenceClassifier? Classifier { get; }

    /// <summary>A model of 16 to 32 features; the windows of those that have one are shorter than the texts of the tests.</summary>
    internal static CausalLm Create(string architecture, ulong seed) =>
        architecture switch
        {
            Plain => Toy.Model(seed),
            Mixed => Toy.Model(seed, ScalarType.BFloat16),
            Module => new ModuleLm(new Recurrent(Toy.Tokenizer.VocabularySize, (int)seed), Toy.Tokenizer.VocabularySize, 16),
            _ => OneOfEachLayer(TinyModels.Config(architecture), seed),
        };

    internal static MatrixCell Of(string architecture, string parameters, bool classifier = false)
    {
        var body = Create(architecture, seed: 1);
        AdapterOptions? adapter = parameters switch
        {
            "lora" or "qlora" => new LoraOptions
            {
                Rank = 4,
                Alpha = 16,
                Targets = ModuleSelection.AllLinear,
            },
            "ia3" => new Ia3Options
            {
                Targets = ModuleSelection.Named("k_proj", "v_proj", "down_proj"),
                FeedForward = ModuleSelection.Named("down_proj"),
            },
            "adalora" => new AdaLoraOptions
            {
                InitialRank = 4,
                TargetRank = 2,
                Alpha = 16,
                FinalSteps = 5,
                Targets = ModuleSelection.AllLinear,
            },
            "norms" => new NormTuningOptions(),
            _ => null,
        };
        List<IDisposable> parts = [];
        if (parameters == "qlora")
            ModelQuantization.Apply(body, Quantizer.Nf4());
        if (adapter is not null)
            parts.Add(AdaptedModel.Attach(body, adapter));
        // After the adapter, so that it stands in the classifier's tree too.
        var head = classifier ? SequenceClassifier.For(body) : null;
        CausalLm model = parameters switch
        {
            "prompt" => new SoftPromptLm(body, PromptTable.Random(3, body.HiddenSize, seed: 7)),
            "prefix" => new PrefixLm((Decoder)body, PromptTable.Random(3, PrefixLm.WidthFor((Decoder)body), seed: 7)),
            _ => body,
        };
        if (!ReferenceEquals(model, body))
            parts.Insert(0, model);
        if (head is not null)
            parts.Add(head);
        parts.Add(body);
        return new MatrixCell(architecture, body, model, head, parts);
    }

    /// <summary>Another model of the architecture, which nothing may change: a reference, or a teacher that has learnt something.</summary>
    internal CausalLm Frozen(ulong seed, Demonstration[]? lesson = null)
    {
        var model = Create(architecture, seed);
        parts.Add(model);
        if (lesson is not null)
        {
            using var sft = new SftTrainer(
                model,
                Toy.Tokenizer,
                new SftOptions
                {
                    Steps = 60,
                    BatchSize = 2,
                    LearningRate = 2e-2,
                }
            );
            _ = sft.Run(lesson).Last();
        }
        foreach (var parameter in model.parameters())
            parameter.requires_grad = false;
        Remember(model);
        return model;
    }

    /// <summary>What required no gradient has the bytes it had, and an adapter with a budget has reached it.</summary>
    internal void KeepsTheFrozen()
    {
        if (parts.OfType<AdaptedModel>().FirstOrDefault() is { } adapted && adapted.Options("default") is AdaLoraOptions options)
        {
            var allocator = new AdaLoraAllocator(options, [.. adapted.Pieces("default").OfType<AdaLoraLinear>()], total: 1);
            Assert.Equal(allocator.TargetBudget, allocator.Kept);
        }
        foreach (var (model, before) in frozen)
        {
            var now = Bytes(model);
            Assert.Equal(before.Keys.Order(StringComparer.Ordinal), now.Keys.Order(StringComparer.Ordinal));
            foreach (var (name, bytes) in before)
                Assert.True(bytes.AsSpan().SequenceEqual(now[name]), $"{name} has changed");
        }
    }

    public void Dispose() => parts.ForEach(part => part.Dispose());

    private void Remember(CausalLm model) => frozen.Add((model, Bytes(model)));

    private static Decoder OneOfEachLayer(DecoderConfig config, ulong seed) =>
        Decoder.Create(config with { VocabularySize = Toy.Tokenizer.VocabularySize, Layers = config.Attention.Count }, seed);

    private static Dictionary<string, byte[]> Bytes(CausalLm model)
    {
        using var scope = NewDisposeScope();
        return model
            .named_parameters()
            .Where(item => !item.parameter.requires_grad)
            .Select(item => (item.name, (Tensor)item.parameter))
            .Concat(PackedWeights.Of(model))
            .ToDictionary(item => item.Item1, item => item.Item2.detach().contiguous().bytes.ToArray());
    }
}
