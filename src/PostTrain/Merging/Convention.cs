namespace PostTrain.Merging;

/// <summary>Which of two implementations a merge of task vectors follows where they differ.</summary>
public enum Convention
{
    /// <summary>mergekit: signs are elected by the weighted task vectors, the sum is divided by the weights of those that agree (where it
    /// is normalised), and what is left of a sparsified vector is rescaled to its L1 norm before.</summary>
    Mergekit,

    /// <summary>PEFT: signs are elected by the task vectors as they are, the sum is divided by the number of those that agree, and what is
    /// kept at random is divided by the probability of being kept, so that its mean stays.</summary>
    Peft,
}
