namespace PostTrain.Adapters;

/// <summary>Which biases of the base model are trained along; the base keeps its own bytes, the adapter holds copies.</summary>
public enum AdapterBias
{
    /// <summary>None.</summary>
    None,

    /// <summary>Every bias of the model.</summary>
    All,

    /// <summary>The biases of the adapted modules.</summary>
    Adapted,
}
