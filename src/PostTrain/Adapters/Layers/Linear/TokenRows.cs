using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace PostTrain.Adapters.Layers;

/// <summary>Trained rows of an embedding, or of an output projection with a weight of its own; they start as copies.</summary>
internal sealed class TokenRows : ModuleAdapter
{
    private readonly bool wrapped;

    [ComponentName(Name = "trainable_tokens_delta")]
    private readonly Parameter rows;

    [ComponentName(Name = "ids")]
    private readonly Tensor ids;

    [ComponentName(Name = "slots")]
    private readonly Tensor slots;

    /// <param name="leaf">The embedding, or the output projection.</param>
    /// <param name="tokens">Token ids, all different.</param>
    /// <param name="wrapped">True if it is part of another method, which PEFT shows in the name.</param>
    public TokenRows(Leaf leaf, IReadOnlyList<int> tokens, bool wrapped)
        : base("tokens", leaf)
    {
        this.wrapped = wrapped;
        var count = leaf.Outputs;
        var place = new long[count];
        Array.Fill(place, -1);
        for (var i = 0; i < tokens.Count; i++)
        {
            if (tokens[i] < 0 || tokens[i] >= count)
                throw new ArgumentOutOfRangeException(nameof(tokens), tokens[i], $"trainable tokens must be ids from 0 to {count - 1}");
            if (place[tokens[i]] >= 0)
                throw new ArgumentException($"the trainable tokens contain {tokens[i]} twice", nameof(tokens));
            place[tokens[i]] = i;
        }

        using var scope = NewDisposeScope();
        ids = Fixed(leaf, tensor(tokens.Select(id => (long)id).ToArray()), ScalarType.Int64);
        slots = Fixed(leaf, tensor(place), ScalarType.Int64);
        rows = Trained(leaf, leaf.Weight.detach().index_select(0, ids));
        RegisterComponents();
    }

    public override bool CoversTied => true;

    public override bool IsTarget => !wrapped;

    public Parameter Rows => rows;

    public Tensor Ids => ids;

    public override Tensor After(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        if (Leaf.Kind == LeafKind.Linear)
        {
            // The product with all rows: at the start no bit changes, which a product with a few rows does not promise.
            var all = Leaf.Apply(input, Leaf.Weight.index_copy(0, ids, Cast(rows, Leaf.Type)), null);
            return output.index_copy(-1, ids, all.index_select(-1, ids)).MoveToOuterDisposeScope();
        }

        var place = slots.index_select(0, input.reshape(-1));
        var values = Cast(rows, output.dtype).index_select(0, place.clamp_min(0)).reshape(output.shape);
        return where(place.ge(0).reshape([.. input.shape, 1]), values, output).MoveToOuterDisposeScope();
    }

    public override (Tensor? Weight, Tensor? Bias) Merged(Tensor weight, Tensor? bias) =>
        (weight.index_copy(0, ids, Cast(rows.detach(), weight.dtype)), null);

    public override IEnumerable<StoredTensor> Stored()
    {
        yield return new(wrapped ? "token_adapter.trainable_tokens_delta" : "trainable_tokens_delta", rows);
    }
}

/// <summary>The trained rows in the output projection that shares the embedding's weight.</summary>
internal sealed class TokenColumns(Leaf leaf, TokenRows tokens) : ModuleAdapter("tokens", leaf)
{
    public override bool CoversTied => true;

    public override bool IsTarget => false;

    public override Tensor After(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var columns = nn.functional.linear(input, Cast(tokens.Rows, input.dtype));
        return output.index_copy(-1, tokens.Ids, columns).MoveToOuterDisposeScope();
    }

    // The embedding's piece has already changed the shared weight.
    public override (Tensor? Weight, Tensor? Bias) Merged(Tensor weight, Tensor? bias) => (null, null);

    public override IEnumerable<StoredTensor> Stored() => [];

    protected override void RegisterComponents() { }
}
