using System.Runtime.InteropServices;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>
/// A lookup table that can be the output projection too. It holds its one parameter itself: two modules that share a weight through
/// <c>Embedding.weight</c> would count it twice.
/// </summary>
internal sealed class TokenEmbedding : nn.Module<Tensor, Tensor>, IWeighted
{
    // Null where the rows are there in a compressed form.
    private readonly Parameter? weight;

    // Not a field of a module's type, so that it is not registered: it has no parameter of its own.
    private readonly Lazy<TiedProjection> projection;

    public TokenEmbedding(WeightSource source, string name, long count, long width)
        : base(nameof(TokenEmbedding))
    {
        weight = source.Parameter(name + ".weight", [count, width], WeightRole.Embedding);
        projection = new(() => new TiedProjection(this));
        RegisterComponents();
    }

    /// <summary>An embedding of rows that are there already: a parameter, or a compressed table. It belongs to the embedding.</summary>
    public TokenEmbedding(Parameter? weight, IPackedTable? packed)
        : base(nameof(TokenEmbedding))
    {
        (this.weight, Packed) = (weight, packed);
        projection = new(() => new TiedProjection(this));
        RegisterComponents();
    }

    public Parameter Weight =>
        weight ?? throw new InvalidOperationException("the token embedding is quantised and has no weight of its own: restore it first");

    /// <summary>The rows in a compressed form, which stands for <see cref="Weight"/>; null where that is there.</summary>
    public IPackedTable? Packed { get; }

    public ScalarType Type => Packed?.Type ?? Weight.dtype;

    public Device Device => Packed?.Device ?? Weight.device;

    Parameter? IWeighted.Bias => null;

    /// <summary>The product with every row as a module, on whose calls others can listen.</summary>
    public TiedProjection Projection => projection.Value;

    /// <summary>Rows of the table: [...] ids to [...,D].</summary>
    public override Tensor forward(Tensor input) => Packed?.Select(input) ?? Apply(input, Weight, null);

    public Tensor Apply(Tensor input, Tensor weight, Tensor? bias)
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
    public Tensor Project(Tensor hidden) => Projection.call(hidden);

    protected override nn.Module _to(Device device, ScalarType dtype, bool non_blocking)
    {
        Packed?.Move(device, dtype);
        return base._to(device, dtype, non_blocking);
    }

    protected override nn.Module _to(DeviceType deviceType, int deviceIndex, bool non_blocking)
    {
        Packed?.Move(new Device(deviceType, deviceIndex), null);
        return base._to(deviceType, deviceIndex, non_blocking);
    }

    protected override nn.Module _to(ScalarType dtype, bool non_blocking)
    {
        Packed?.Move(null, dtype);
        return base._to(dtype, non_blocking);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Packed?.Dispose();
        base.Dispose(disposing);
    }

    // The lookup checks each index anyway: only where it has failed are the ids looked at again, so that the check costs nothing.
    private long? OutOfRange(Tensor ids)
    {
        using var scope = NewDisposeScope();
        var (least, most) = (ids.min().ToInt64(), ids.max().ToInt64());
        return least < 0 ? least
            : most >= Weight.size(0) ? most
            : null;
    }
}

/// <summary>The output projection by a token embedding: [...,D] to [...,V].</summary>
internal sealed class TiedProjection(TokenEmbedding embedding) : nn.Module<Tensor, Tensor>(nameof(TiedProjection)), IWeighted
{
    public Parameter Weight => embedding.Weight;

    public Parameter? Bias => null;

    /// <summary>True if the embedding has a weight of its own.</summary>
    internal bool IsPlain => embedding.Packed is null;

    public override Tensor forward(Tensor input) => embedding.Packed?.Project(input) ?? Apply(input, Weight, null);

    public Tensor Apply(Tensor input, Tensor weight, Tensor? bias) => nn.functional.linear(input, weight, bias);

    /// <summary>Nothing: the embedding has the parameter.</summary>
    protected override void RegisterComponents() { }
}
