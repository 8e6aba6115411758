using PostTrain.Models;
using PostTrain.Models.HuggingFace;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>A layer of the base model as adapters see it: its name, its parameters, and its result with other values of them.</summary>
internal sealed class Leaf
{
    private readonly Func<Parameter> weight;
    private readonly Func<Parameter?> bias;
    private readonly Func<Tensor, Tensor, Tensor?, Tensor> apply;

    private Leaf(
        string name,
        nn.Module<Tensor, Tensor> module,
        LeafKind kind,
        Func<Parameter> weight,
        Func<Parameter?> bias,
        Func<Tensor, Tensor, Tensor?, Tensor> apply
    )
    {
        (Name, Module, Kind) = (name, module, kind);
        (this.weight, this.bias, this.apply) = (weight, bias, apply);
    }

    public string Name { get; }

    public nn.Module<Tensor, Tensor> Module { get; }

    public LeafKind Kind { get; }

    // Read anew each time: moving a model to another device or type replaces its parameters.
    public Parameter Weight => weight();

    public Parameter? Bias => bias();

    /// <summary>True if files store the weight as [in,out] (GPT-2's Conv1D).</summary>
    public bool TransposedOnDisk { get; private init; }

    /// <summary>True if another layer uses the same weight.</summary>
    public bool IsTied { get; private init; }

    /// <summary>True if this is the projection onto the vocabulary.</summary>
    public bool IsHead { get; private init; }

    /// <summary>The layer's compressed weight, or null where it is a parameter.</summary>
    public IPackedWeight? Packed { get; private init; }

    public ScalarType Type => Packed?.Type ?? Weight.dtype;

    public Device Device => Packed?.Device ?? Weight.device;

    public long Inputs => Packed?.Inputs ?? Weight.size(1);

    public long Outputs => Packed?.Outputs ?? Weight.size(0);

    /// <summary>The weight's numbers: the parameter itself, or a fresh tensor of a compressed one.</summary>
    public Tensor Values() => Packed?.Dequantize() ?? Weight;

    public Tensor Apply(Tensor input, Tensor weight, Tensor? bias) => apply(input, weight, bias);

    /// <summary>Every layer of a tree that can be adapted, in the tree's order, the projection of tied embeddings last.</summary>
    public static IReadOnlyList<Leaf> All(nn.Module root)
    {
        var leaves = new List<Leaf>();
        var decoders = new List<(string Prefix, Decoder Decoder)>();
        if (root is Decoder itself)
            decoders.Add(("", itself));
        foreach (var (name, module) in root.named_modules())
        {
            if (module is Decoder inside)
                decoders.Add((name + ".", inside));
        }

        var tied = decoders
            .Where(item => item.Decoder.Config.TiedEmbeddings)
            .ToDictionary(item => EmbeddingName(item.Prefix, item.Decoder), StringComparer.Ordinal);
        foreach (var (name, module) in root.named_modules())
        {
            var naming = decoders
                .Where(item => name.StartsWith(item.Prefix, StringComparison.Ordinal))
                .Select(item => (ModuleNaming?)item.Decoder.Config.Naming)
                .FirstOrDefault();
            var transposed = naming is { } known && CheckpointWeights.IsTransposed(known, name + ".weight");
            if (Of(name, module, transposed, tied.ContainsKey(name), IsHeadName(name)) is { } leaf)
                leaves.Add(leaf);
        }

        foreach (var (name, (prefix, decoder)) in tied)
        {
            if (leaves.SingleOrDefault(leaf => leaf.Name == name)?.Module is not TokenEmbedding embedding)
                continue;
            leaves.Add(Of(prefix + ModuleNames.Of(decoder.Config.Naming).Head, embedding.Projection, false, true, true)!);
        }

        return leaves;
    }

    private static string EmbeddingName(string prefix, Decoder decoder)
    {
        var names = ModuleNames.Of(decoder.Config.Naming);
        return $"{prefix}{names.Backbone}.{names.Tokens}";
    }

    private static bool IsHeadName(string name) => name == "lm_head" || name.EndsWith(".lm_head", StringComparison.Ordinal);

    private static Leaf? Of(string name, nn.Module module, bool transposed, bool tied, bool head) =>
        module switch
        {
            Linear linear => new(
                name,
                linear,
                LeafKind.Linear,
                () => linear.weight!,
                () => linear.bias,
                (x, w, b) => nn.functional.linear(x, w, b)
            )
            {
                TransposedOnDisk = transposed,
                IsTied = tied,
                IsHead = head,
            },
            Embedding embedding => new(
                name,
                embedding,
                LeafKind.Embedding,
                () => embedding.weight!,
                () => null,
                (ids, w, _) => Rows(ids, w)
            ),
            LayerNorm { elementwise_affine: true } norm => new(
                name,
                norm,
                LeafKind.Norm,
                () => norm.weight,
                () => norm.bias,
                (x, w, b) => nn.functional.layer_norm(x, norm.normalized_shape, w, b, norm.eps)
            ),
            IPackedWeight packed when module is nn.Module<Tensor, Tensor> callable => new(
                name,
                callable,
                LeafKind.Linear,
                () =>
                    throw new InvalidOperationException(
                        $"the layer '{name}' holds a compressed weight, which nothing can be written into: merge over the "
                            + "uncompressed model"
                    ),
                () => packed.Bias,
                (x, w, b) => nn.functional.linear(x, w, b)
            )
            {
                Packed = packed,
                TransposedOnDisk = transposed,
                IsHead = head,
            },
            // Quantised rows are looked up, and adapters leave them alone.
            TokenEmbedding { Packed: not null } => null,
            IWeighted weighted when module is nn.Module<Tensor, Tensor> callable => new(
                name,
                callable,
                module is TokenEmbedding ? LeafKind.Embedding
                    : module is TiedProjection or IWeightedLinear ? LeafKind.Linear
                    : LeafKind.Norm,
                () => weighted.Weight,
                () => weighted.Bias,
                weighted.Apply
            )
            {
                TransposedOnDisk = transposed,
                IsTied = tied,
                IsHead = head,
            },
            _ => null,
        };

    private static Tensor Rows(Tensor ids, Tensor table)
    {
        using var scope = NewDisposeScope();
        return table.index_select(0, ids.reshape(-1)).reshape([.. ids.shape, table.size(1)]).MoveToOuterDisposeScope();
    }
}
