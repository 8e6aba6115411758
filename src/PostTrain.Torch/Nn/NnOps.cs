using PostTrain.Torch.Interop;

namespace TorchSharp;

/// <summary>The operators that only modules, losses and optimisers call.</summary>
internal static class NnOps
{
    // Layers
    internal static readonly Operator
        linear = new("linear"),
        embedding = new("embedding"),
        embedding_renorm_ = new("embedding_renorm_"),
        layer_norm = new("layer_norm"),
        dropout = new("dropout"),
        dropout_ = new("dropout_"),
        lstm_input = new("lstm.input"),
        scaled_dot_product_attention = new("scaled_dot_product_attention"),
        one_hot = new("one_hot"),
        pad = new("pad"),
        cosine_similarity = new("cosine_similarity");

    // Losses
    internal static readonly Operator
        cross_entropy_loss = new("cross_entropy_loss"),
        nll_loss_nd = new("nll_loss_nd"),
        mse_loss = new("mse_loss"),
        l1_loss = new("l1_loss"),
        smooth_l1_loss = new("smooth_l1_loss"),
        huber_loss = new("huber_loss"),
        kl_div = new("kl_div"),
        binary_cross_entropy = new("binary_cross_entropy"),
        binary_cross_entropy_with_logits = new("binary_cross_entropy_with_logits"),
        cosine_embedding_loss = new("cosine_embedding_loss");

    // Activations
    internal static readonly Operator
        softmax_int = new("softmax.int"),
        log_softmax_int = new("log_softmax.int"),
        relu = new("relu"),
        relu_ = new("relu_"),
        gelu = new("gelu"),
        gelu_ = new("gelu_"),
        silu = new("silu"),
        silu_ = new("silu_"),
        tanh = new("tanh"),
        tanh_ = new("tanh_"),
        sigmoid = new("sigmoid"),
        sigmoid_ = new("sigmoid_"),
        softplus = new("softplus"),
        log_sigmoid = new("log_sigmoid");

    // Building and moving parameters
    internal static readonly Operator
        empty = new("empty.memory_format"),
        zeros_like = new("zeros_like"),
        to_device = new("to.device"),
        copy_ = new("copy_"),
        zero_ = new("zero_"),
        fill_ = new("fill_.Scalar"),
        normal_ = new("normal_"),
        uniform_ = new("uniform_"),
        select = new("select.int"),
        eye = new("eye.m"),
        qr = new("linalg_qr"),
        erfinv_ = new("erfinv_"),
        mul_ = new("mul_.Scalar"),
        add_ = new("add_.Scalar"),
        clamp_ = new("clamp_"),
        clamp_min = new("clamp_min"),
        clone = new("clone"),
        transpose = new("transpose.int"),
        reshape = new("reshape"),
        narrow = new("narrow"),
        cat = new("cat"),
        stack = new("stack"),
        vector_norm = new("linalg_vector_norm"),
        div = new("div.Tensor"),
        mul_Scalar = new("mul.Scalar"),
        mul_Tensor = new("mul.Tensor"),
        add = new("add.Tensor"),
        matmul = new("matmul"),
        ones = new("ones"),
        zeros = new("zeros"),
        tril = new("tril"),
        diag = new("diagonal"),
        sign = new("sign"),
        logical_not = new("logical_not"),
        masked_fill = new("masked_fill.Scalar"),
        eq = new("eq.Scalar"),
        all_dim = new("all.dim"),
        item = new("_local_scalar_dense"),
        allclose = new("allclose");

    // Lists of tensors, for the optimisers: one crossing to native code for a whole group of parameters.
    internal static readonly Operator
        foreach_add_list = new("_foreach_add.List"),
        foreach_add_scalar_ = new("_foreach_add_.Scalar"),
        foreach_add_list_ = new("_foreach_add_.List"),
        foreach_mul_scalar_ = new("_foreach_mul_.Scalar"),
        foreach_div_scalar_ = new("_foreach_div_.Scalar"),
        foreach_addcmul_scalar_ = new("_foreach_addcmul_.Scalar"),
        foreach_addcdiv_scalar_ = new("_foreach_addcdiv_.Scalar"),
        foreach_sqrt = new("_foreach_sqrt"),
        foreach_neg = new("_foreach_neg"),
        foreach_norm = new("_foreach_norm.Scalar"),
        foreach_zero_ = new("_foreach_zero_"),
        foreach_maximum_ = new("_foreach_maximum_.List");
}
