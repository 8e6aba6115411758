namespace PostTrain.Merging;

/// <summary>The implementation that a merge of task vectors follows if the two differ.</summary>
public enum Convention
{
    /// <summary>mergekit: signs are elected by the weighted task vectors, the sum is divided by the weights of those that agree (if
    /// normalised), and the rest of a sparsified vector is rescaled to its original L1 norm.</summary>
    Mergekit,

    /// <summary>PEFT: signs are elected by the task vectors as they are, the sum is divided by the number of those that agree, and what is
    /// kept at random is divided by the probability of being kept, so that its mean stays.</summary>
    Peft,
}
