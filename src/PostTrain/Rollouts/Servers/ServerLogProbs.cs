namespace PostTrain.Rollouts.Servers;

/// <summary>Distribution whose log-probs a server gives.</summary>
public enum ServerLogProbs
{
    /// <summary>softmax(logits), without temperature, penalties and truncation: the default of vLLM, and what llama.cpp's server has. A
    /// temperature other than 1 is refused with it.</summary>
    Raw,

    /// <summary>Distribution that draws: softmax(logits / temperature) at least. SGLang's default; vLLM with
    /// <c>--logprobs-mode processed_logprobs</c>.</summary>
    Tempered,
}
