namespace PostTrain.Adapters;

/// <summary>The factor of LoKr's update that starts at 0.</summary>
public enum LokrStart
{
    /// <summary>The left one, as in PEFT.</summary>
    Left,

    /// <summary>The right one, as in LyCORIS.</summary>
    Right,

    /// <summary>None: the update starts at random.</summary>
    Random,
}
