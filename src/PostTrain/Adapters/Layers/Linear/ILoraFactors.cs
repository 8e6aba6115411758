using TorchSharp.Modules;

namespace PostTrain.Adapters.Layers;

/// <summary>A piece that adds s·BA to a weight.</summary>
internal interface ILoraFactors
{
    Leaf Leaf { get; }

    /// <summary>[r,in]; of embeddings [r,V].</summary>
    Parameter A { get; }

    /// <summary>[out,r]; of embeddings [D,r].</summary>
    Parameter B { get; }

    double Scale { get; }

    /// <summary>True if it has no other effect.</summary>
    bool IsPlain { get; }
}
