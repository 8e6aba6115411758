namespace PostTrain.Merging;

/// <summary>The treatment of the models' tokenizers in a merge.</summary>
public enum VocabularyMerge
{
    /// <summary>All must have the same tokens under the same ids; others are refused.</summary>
    Same,

    /// <summary>The tokens of all: those of the base (or first) model under their ids, then the others' that it lacks. Rows of a token that
    /// a model lacks are the base's, or the mean of the models that have it.</summary>
    Union,
}
