namespace PostTrain.Data;

/// <summary>An end of a sequence: where padding goes, or what truncation takes away.</summary>
public enum SequenceSide
{
    /// <summary>The beginning.</summary>
    Left,

    /// <summary>The end.</summary>
    Right,
}
