namespace PostTrain.Adapters;

/// <summary>The biases of the base model that are trained too. The base keeps its own values; the adapter holds copies.</summary>
public enum AdapterBias
{
    /// <summary>None.</summary>
    None,

    /// <summary>Every bias of the model.</summary>
    All,

    /// <summary>The biases of the adapted modules.</summary>
    Adapted,
}
