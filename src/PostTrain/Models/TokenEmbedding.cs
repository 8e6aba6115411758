using System.Runtime.InteropServices;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// A lookup table that can be the output projection too. It holds its one parameter itself: two modules that share a weight through
/// <c>Embedding.weight</c> would count it twice.
/// </summary>
internal sealed class TokenEmbedding : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;

    public TokenEmbedding(WeightSource source, string name, long count, long width)
        : base(nameof(TokenEmbedding))
    {
        weight = source.Parameter(name + ".weight", [count, width], WeightRole.Embedding);
        RegisterComponents();
    }

    public Parameter Weight => weight;

    /// <summary>Rows of the table: [...] ids to [...,D].</summary>
    public override Tensor forward(Tensor input)
    {
        using var scope = NewDisposeScope();
        try
        {
            return weight.index_select(0, input.reshape(-1)).reshape([.. input.shape, weight.size(1)]).MoveToOuterDisposeScope();
        }
        catch (ExternalException exception) when (OutOfRange(input) is { } id)
        {
            throw new ArgumentException($"ids holds {id}, expected ids from 0 to {weight.size(0) - 1}.", nameof(input), exception);
        }
    }

    /// <summary>[...,D] to [...,V]: the product with every row.</summary>
    public Tensor Project(Tensor hidden) => nn.functional.linear(hidden, weight);

    // The lookup checks each index anyway: only where it has failed are the ids looked at again, so that the check costs nothing.
    private long? OutOfRange(Tensor ids)
    {
        using var scope = NewDisposeScope();
        var (least, most) = (ids.min().ToInt64(), ids.max().ToInt64());
        return least < 0 ? least : most >= weight.size(0) ? most : null;
    }
}
