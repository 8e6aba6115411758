namespace PostTrain.Rollouts.Servers;

/// <summary>Interface that a server of rollouts speaks.</summary>
public enum ServerProtocol
{
    /// <summary>vLLM: <c>/v1/completions</c> with token ids, <c>logprobs</c> and <c>return_token_ids</c>.</summary>
    Vllm,

    /// <summary>SGLang: <c>/generate</c> with <c>input_ids</c> and <c>return_logprob</c>.</summary>
    SgLang,

    /// <summary>llama.cpp's server: <c>/v1/completions</c> with token ids; the ids come with the log-probs.</summary>
    Llama,
}
