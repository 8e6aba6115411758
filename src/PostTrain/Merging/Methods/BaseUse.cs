namespace PostTrain.Merging;

/// <summary>The use of a base model by a merge method.</summary>
public enum BaseUse
{
    /// <summary>It has none: a base that is named is no model apart.</summary>
    None,

    /// <summary>It works on task vectors where a base is given.</summary>
    Optional,

    /// <summary>It needs one.</summary>
    Required,
}
